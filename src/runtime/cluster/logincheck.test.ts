import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeCertificates } from "../../sandbox/certificates.ts";
import { parseKubeconfig } from "./kubeconfigfile.ts";
import { certificateValidity, isOnPath, loginWords, tokenValidity, validities } from "./logincheck.ts";

function userOf(user: object) {
  const entry = parseKubeconfig(JSON.stringify({ users: [{ name: "u", user }] }), "/k").users.get("u");
  if (entry === undefined) throw new Error("no user");
  return entry;
}

function jwt(claims: object): string {
  const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.x`;
}

test.each([
  [{}, "no credentials"],
  [{ exec: { apiVersion: "v1", command: "/opt/bin/aws", args: ["--secret"] } }, 'plugin "aws"'],
  [{ "auth-provider": { name: "oidc" } }, 'auth provider "oidc"'],
  [{ "client-certificate-data": "eA==", token: "secret" }, "client certificate, token"],
  [{ tokenFile: "/t" }, "token file"],
  [{ username: "ann", password: "secret" }, "name and password"],
])("%j is %s", (user, words) => {
  expect(loginWords(userOf(user))).toBe(words);
});

describe("tokenValidity", () => {
  test("reads the claims of a JSON web token", () => {
    expect(tokenValidity(jwt({ exp: 2, nbf: 1 }))).toEqual({ what: "token", fromMs: 1000, untilMs: 2000 });
    expect(tokenValidity(jwt({}))).toEqual({ what: "token" });
  });

  test.each([undefined, "", "opaque", "a.b", "a.!!.c", "a.bm8.c", jwt({ exp: "soon" })])(
    "%j is none that can be read",
    (token) => {
      expect(tokenValidity(token)).toBeUndefined();
    },
  );
});

test("a certificate says from when until when it holds; what is none says nothing", async () => {
  const { cert } = await makeCertificates();
  const { fromMs = 0, untilMs = 0 } = certificateValidity(cert) ?? {};
  expect(fromMs).toBeLessThan(untilMs);
  expect(certificateValidity("-----BEGIN CERTIFICATE-----\nx")).toBeUndefined();
  const data = Buffer.from(cert).toString("base64");
  const user = userOf({ "client-certificate-data": data, token: jwt({ exp: 2 }) });
  expect(validities(user).map(({ what }) => what)).toEqual(["client certificate", "token"]);
});

test("a plugin is found by a path or in the folders of PATH, if it may be run", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kfwd-path-"));
  try {
    await writeFile(join(folder, "plugin"), "");
    const env = { PATH: `/nowhere:${folder}` };
    expect(isOnPath("plugin", env, "linux")).toBe(false);
    await chmod(join(folder, "plugin"), 0o755);
    expect(isOnPath("plugin", env, "linux")).toBe(true);
    expect(isOnPath(join(folder, "plugin"), {}, "linux")).toBe(true);
    expect(isOnPath("other", env, "linux")).toBe(false);
    expect(isOnPath("plugin", {}, "linux")).toBe(false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
