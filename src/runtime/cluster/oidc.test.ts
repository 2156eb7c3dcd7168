import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { OidcLogin, OidcTrouble } from "./oidc.ts";

/** An identity provider that answers as it is told. */
class Provider implements AsyncDisposable {
  readonly forms: Record<string, string>[] = [];
  readonly server: Server;
  answers: { readonly status: number; readonly body: string }[] = [];
  onAsked: () => void = () => {};
  readonly #scheme: "http" | "https";

  constructor(tls?: { readonly cert: string; readonly key: string }) {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#serve(request).then((answer) => {
        if (answer) response.writeHead(answer.status).end(answer.body);
        else this.onAsked();
      });
    };
    this.#scheme = tls ? "https" : "http";
    this.server = tls ? createTlsServer(tls, serve) : createServer(serve);
  }

  async listen(): Promise<this> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `${this.#scheme}://127.0.0.1:${address.port}`;
  }

  async #serve(request: IncomingMessage) {
    if (request.url?.endsWith("/.well-known/openid-configuration")) {
      return { status: 200, body: JSON.stringify({ issuer: this.url, token_endpoint: `${this.url}/token` }) };
    }
    let text = "";
    for await (const chunk of request) text += String(chunk);
    this.forms.push(Object.fromEntries(new URLSearchParams(text)));
    return this.answers.shift();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

const clock = new FakeClock();
const around = { clock, signal: new AbortController().signal };
const wallS = clock.wall() / 1000;

function jwt(expS: number): string {
  return `${[{ alg: "none" }, { exp: expS }].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.x`;
}

function tokens(expS: number, refresh?: string) {
  return { status: 200, body: JSON.stringify({ id_token: jwt(expS), refresh_token: refresh }) };
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("a token that is valid for more than a minute is used as it is", async () => {
  const valid = jwt(wallS + 61);
  expect(await new OidcLogin({ "id-token": valid }).token(around)).toBe(valid);
});

test("one that expires within a minute is renewed, with the refresh token of the last answer that had one", async () => {
  await using provider = await new Provider().listen();
  const login = new OidcLogin({
    "id-token": jwt(wallS + 59),
    "refresh-token": "first",
    "client-id": "kfwd",
    "client-secret": "s3",
    "idp-issuer-url": `${provider.url}/`,
  });
  provider.answers = [tokens(1), tokens(2, "second"), tokens(wallS + 3_600)];
  expect(await login.token(around)).toBe(jwt(1));
  expect(await login.token(around)).toBe(jwt(2));
  expect(await login.token(around)).toBe(jwt(wallS + 3_600));
  expect(await login.token(around)).toBe(jwt(wallS + 3_600));
  expect(provider.forms.map((form) => form["refresh_token"])).toEqual(["first", "first", "second"]);
  expect(provider.forms[0]).toEqual({
    grant_type: "refresh_token",
    refresh_token: "first",
    client_id: "kfwd",
    client_secret: "s3",
  });
});

test("an authority of its own is what the provider's certificate is checked against", async () => {
  const altNames = [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }];
  const made = await generate([{ name: "commonName", value: "idp" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: altNames as never,
  });
  await using provider = await new Provider({ cert: made.cert, key: made.private }).listen();
  const folder = mkdtempSync(join(tmpdir(), "kfwd-oidc-"));
  folders.push(folder);
  writeFileSync(join(folder, "ca.crt"), made.cert);
  const config = { "refresh-token": "r", "idp-issuer-url": provider.url };
  provider.answers = [tokens(7), tokens(8)];
  const byFile = new OidcLogin({ ...config, "idp-certificate-authority": join(folder, "ca.crt") });
  expect(await byFile.token(around)).toBe(jwt(7));
  const data = Buffer.from(made.cert).toString("base64");
  const byData = new OidcLogin({ ...config, "idp-certificate-authority-data": data });
  expect(await byData.token(around)).toBe(jwt(8));
  await expect(new OidcLogin(config).token(around)).rejects.toThrow(
    /^its identity provider cannot be asked: /,
  );
});

test.each([
  {
    name: "refuses in its own words",
    answer: {
      status: 400,
      body: '{"error":"invalid_grant","error_description":"Session not active\\u001b[2J"}',
    },
    says: "its identity provider refuses to renew it (400): Session not active [2J",
  },
  {
    name: "answers with a login page",
    answer: { status: 200, body: "<html>" },
    says: "its identity provider refuses to renew it (200)",
  },
])("a provider that $name is quoted, without a secret", async ({ answer, says }) => {
  await using provider = await new Provider().listen();
  provider.answers = [answer];
  const login = new OidcLogin({ "refresh-token": "canary", "idp-issuer-url": provider.url });
  await expect(login.token(around)).rejects.toThrow(new OidcTrouble(says));
});

test("a provider that never answers is given up after 30 s; nothing is left behind", async () => {
  await using provider = await new Provider().listen();
  const asked = new Promise<void>((resolve) => (provider.onAsked = resolve));
  const work = new OidcLogin({ "refresh-token": "r", "idp-issuer-url": provider.url }).token(around);
  const failed = expect(work).rejects.toThrow("its identity provider gave no answer within 30 s");
  await asked;
  await clock.advance(30_000);
  await failed;
  expect(clock.pending).toBe(0);
});

test.each([
  { config: {}, says: /^its ID token has expired, and the kubeconfig has nothing to renew it with$/ },
  {
    config: { "refresh-token": "r", "idp-issuer-url": "idp" },
    says: /^"idp\/.well-known\/openid-configuration" is not a URL$/,
  },
])("without what it takes: $says", async ({ config, says }) => {
  await expect(new OidcLogin(config).token(around)).rejects.toThrow(says);
});
