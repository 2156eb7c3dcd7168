import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeFifo } from "../../../test/fakes/fifo.ts";
import { KfwdError } from "../../errors.ts";
import { Kubeconfigs, type Connection } from "./kubeconfig.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-kubeconfig-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a file below the test's folder and returns its path. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** A kubeconfig whose contexts each lead to a cluster and user of their own name. */
function contexts(names: readonly string[], current?: string, cluster = "", user = ""): string {
  return [
    ...(current === undefined ? [] : [`current-context: ${current}`]),
    "contexts:",
    ...names.map((n) => `- {name: ${n}, context: {cluster: ${n}, user: ${n}, namespace: ns-${n}}}`),
    "clusters:",
    ...names.map((n) => `- {name: ${n}, cluster: {server: "https://${n}.test:6443"${cluster}}}`),
    "users:",
    ...names.map((n) => `- {name: ${n}, user: {token: token-${n}${user}}}`),
  ].join("\n");
}

function look(env: Record<string, string>, path?: string, context?: string): Connection {
  return new Kubeconfigs({ env, home: folder, serviceAccountFolder: join(folder, "sa") }).connection(
    path,
    context,
  );
}

function failure(act: () => unknown): {
  code: string;
  message: string;
  hint: string | undefined;
  exit: number;
} {
  try {
    act();
  } catch (error) {
    if (error instanceof KfwdError)
      return { code: error.code, message: error.message, hint: error.hint, exit: error.exit };
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("which files count", () => {
  test("an explicit path before everything else", () => {
    const explicit = file("mine", contexts(["mine"], "mine"));
    const env = { KUBECONFIG: file("env", contexts(["env"], "env")) };
    expect(look(env, explicit).context).toBe("mine");
  });

  test("$KUBECONFIG before ~/.kube/config", () => {
    file(".kube/config", contexts(["home"], "home"));
    expect(look({ KUBECONFIG: file("env", contexts(["env"], "env")) }).context).toBe("env");
    expect(look({ KUBECONFIG: "" }).context).toBe("home");
    expect(look({}).context).toBe("home");
  });

  test("in a list, missing files are skipped, the first definition and the first current-context win", () => {
    const first = file("a", contexts(["shared", "a"]));
    const second = file("b", contexts(["b"], "b"));
    const third = file(
      "c",
      `${contexts(["shared", "c"], "c")}\n`.replaceAll("https://shared", "https://late"),
    );
    const env = { KUBECONFIG: ["", join(folder, "none"), first, second, third].join(delimiter) };
    expect(look(env).context).toBe("b");
    expect(look(env, undefined, "shared").server.href).toBe("https://shared.test:6443/");
    expect(look(env, undefined, "c").server.href).toBe("https://c.test:6443/");
  });

  test("in one file too the first definition of a name wins", () => {
    const twice = [contexts(["x"], "x"), "extra: 1"]
      .join("\n")
      .replace("clusters:", "clusters:\n- {name: x, cluster: {server: https://first.test}}");
    expect(look({}, file("twice", twice)).server.href).toBe("https://first.test/");
  });

  test("a pod's service account when there is nothing else", () => {
    file("sa/token", "secret\n");
    file("sa/namespace", "team\n");
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    expect(look(env)).toMatchObject({
      context: "in-cluster",
      namespace: "team",
      cluster: { caFile: join(folder, "sa/ca.crt") },
      user: { tokenFile: join(folder, "sa/token") },
    });
    expect(look(env).server.href).toBe("https://[fd00::1]/");
    file(".kube/config", contexts(["home"], "home"));
    expect(look(env).context).toBe("home");
  });
});

describe("what goes wrong", () => {
  test("no kubeconfig at all is never localhost:8080", () => {
    expect(failure(() => look({}))).toMatchObject({
      code: "KUBECONFIG_MISSING",
      exit: 4,
      message: `no kubeconfig: $KUBECONFIG is empty and "${join(folder, ".kube/config")}" does not exist`,
    });
    const one = join(folder, "x");
    expect(failure(() => look({ KUBECONFIG: one })).message).toBe(
      `no kubeconfig: $KUBECONFIG names "${one}", which does not exist`,
    );
    expect(failure(() => look({ KUBECONFIG: `${one}${delimiter}${one}2` })).message).toBe(
      `no kubeconfig: $KUBECONFIG names "${one}", "${one}2", none of which exists`,
    );
    expect(failure(() => look({}, one))).toMatchObject({
      code: "KUBECONFIG_MISSING",
      message: `kubeconfig "${one}" does not exist`,
    });
  });

  test("an unknown context names the near one and what there is", () => {
    const path = file("c", contexts(["kind-dev", "prod"], "prod"));
    expect(failure(() => look({}, path, "kind-dve"))).toMatchObject({
      code: "CONTEXT_UNKNOWN",
      exit: 4,
      message: `context "kind-dve" not found in "${path}"`,
      hint: 'did you mean "kind-dev"? contexts: kind-dev, prod',
    });
  });

  test("without a current-context one must be named", () => {
    const path = file("c", contexts(["kind-dev"]));
    expect(failure(() => look({}, path))).toMatchObject({
      code: "CONTEXT_UNKNOWN",
      message: `no context is given, and "${path}" sets no current-context`,
      hint: "kubectl config use-context kind-dev",
    });
  });

  test.each(["", "\n \n", "# soon\n", "---\n", "null\n", "{}\n"])("a file of %j has no contexts", (text) => {
    const path = file("c", text);
    expect(failure(() => look({}, path))).toMatchObject({
      code: "CONTEXT_UNKNOWN",
      message: `no context is given, and "${path}" sets no current-context`,
      hint: "kubectl config get-contexts",
    });
  });

  test("a path that leads nowhere: below a file as if there were none, in a circle with its reason", () => {
    const below = join(file("c", "{}"), "x");
    expect(failure(() => look({}, below)).message).toBe(`kubeconfig "${below}" does not exist`);
    const circle = join(folder, "circle");
    symlinkSync(circle, circle);
    expect(failure(() => look({ KUBECONFIG: circle }))).toMatchObject({
      code: "KUBECONFIG_INVALID",
      message: `kubeconfig "${circle}" cannot be read: its symbolic links lead in a circle`,
    });
  });

  test.each([
    { name: "broken YAML", text: "contexts: [", what: /is not valid YAML \(line \d+, column \d+\)$/ },
    {
      name: "a list",
      text: "- a",
      what: /is not a kubeconfig: it is no map$/,
    },
    {
      name: "a wrong type",
      text: "users: [{name: x, user: {exec: {command: [a]}}}]",
      what: /users\[0\]\.user\.exec\.apiVersion is missing/,
    },
    {
      name: "a cluster that is not there",
      text: "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]",
      what: /names cluster "b", which is not defined/,
    },
    { name: "no cluster", text: "current-context: a\ncontexts: [{name: a}]", what: /names no cluster/ },
    {
      name: "a user that is not there",
      text: contexts(["a"], "a").replace("user: a,", "user: b,"),
      what: /names user "b", which is not defined/,
    },
    {
      name: "no server",
      text: contexts(["a"], "a").replace(/server: "[^"]*"/, 'server: ""'),
      what: /has no server/,
    },
    {
      name: "an odd server",
      text: contexts(["a"], "a").replace("https://a.test:6443", "ftp://u:secret@x"),
      what: /whose server "ftp:\/\/…@x" is not an http/,
    },
    {
      name: "a proxy that can be none",
      text: contexts(["a"], "a", ", proxy-url: ftp://u:secret@proxy"),
      what: /names cluster "a", whose `proxy-url` begins with "ftp:\/\/"; possible are/,
    },
  ])("$name", ({ text, what }) => {
    const error = failure(() => look({}, file("broken", text)));
    expect(error).toMatchObject({ code: "KUBECONFIG_INVALID", exit: 4 });
    expect(error.message).toMatch(what);
    expect(error.message).toContain(join(folder, "broken"));
    expect(error.message).not.toContain("secret");
  });

  test("a proxy of the environment that can be none", () => {
    const env = { HTTPS_PROXY: "http://u:sec#ret@proxy" };
    expect(failure(() => look(env, file("config", contexts(["a"], "a"))))).toEqual({
      code: "UNREACHABLE",
      message:
        'cannot reach https://a.test:6443 (context "a"): HTTPS_PROXY is not a URL: special characters in user and password must be percent-encoded',
      hint: "correct HTTPS_PROXY, or name the server in NO_PROXY",
      exit: 4,
    });
    expect(look({ ...env, NO_PROXY: "a.test" }, file("config", contexts(["a"], "a"))).proxy).toBeUndefined();
  });

  test("a folder is no kubeconfig, nor is a FIFO, which nobody waits for", () => {
    expect(failure(() => look({}, folder)).message).toBe(
      `kubeconfig "${folder}" cannot be read: it is a folder`,
    );
    using fifo = makeFifo(join(folder, "fifo"));
    expect(failure(() => look({}, fifo.path)).message).toBe(
      `kubeconfig "${fifo.path}" cannot be read: it is no regular file`,
    );
  });

  test("a huge file is refused by its length", () => {
    const path = file("huge", "");
    truncateSync(path, 2 ** 40);
    expect(failure(() => look({}, path)).message).toBe(
      `kubeconfig "${path}" is longer than 16 MiB, which is no kubeconfig`,
    );
  });
});

describe("what it says", () => {
  test("paths are relative to the file they stand in", () => {
    const text = [
      "current-context: c",
      "contexts: [{name: c, context: {cluster: c, user: u}}]",
      "clusters: [{name: c, cluster: {server: https://c, certificate-authority: pki/ca.crt}}]",
      "users:",
      "- name: u",
      "  user:",
      "    client-certificate: ../u.crt",
      "    client-key: /abs/u.key",
      "    tokenFile: token",
      "    exec: {apiVersion: v1, command: ./bin/login, args: null, env: [{name: A, value: 1}]}",
    ].join("\n");
    expect(look({}, file("deep/config", text))).toMatchObject({
      cluster: { caFile: join(folder, "deep/pki/ca.crt") },
      user: {
        certFile: join(folder, "u.crt"),
        keyFile: "/abs/u.key",
        tokenFile: join(folder, "deep/token"),
        exec: { command: join(folder, "deep/bin/login"), args: [], env: [{ name: "A", value: "1" }] },
      },
    });
    const onPath = text.replace("./bin/login", "login");
    expect(look({}, file("deep/config2", onPath)).user.exec?.command).toBe("login");
  });

  test("numbers and nulls stand for the text they are to kubectl", () => {
    const text = [
      "current-context: 1",
      "contexts: [{name: 1, context: {cluster: c, user: u, namespace: null}}]",
      "clusters: [{name: c, cluster: {server: https://c, certificate-authority: '', extensions: null}}]",
      "users: [{name: u, user: {token: 123, as: null, as-groups: [a, b], as-user-extra: {scopes: [x]}}}]",
      "preferences: {}",
    ].join("\n");
    expect(look({}, file("c", text))).toMatchObject({
      context: "1",
      namespace: undefined,
      cluster: { caFile: undefined, skipTlsVerify: false },
      user: { token: "123", impersonate: { user: undefined, groups: ["a", "b"], extra: { scopes: ["x"] } } },
    });
  });

  test("JSON is fine, and a context without a user is anonymous", () => {
    const json = {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c" } }],
      clusters: [{ name: "c", cluster: { server: "http://c:8080/k8s/" } }],
      users: null,
    };
    const connection = look({}, file("c", JSON.stringify(json)));
    expect(connection).toMatchObject({ userName: "", user: { token: undefined } });
    expect(connection.server.pathname).toBe("/k8s/");
  });

  test.each([
    { server: "10.0.0.1:6443", tls: ", certificate-authority-data: eA==", is: "https://10.0.0.1:6443/" },
    { server: "10.0.0.1:6443", tls: ", insecure-skip-tls-verify: true", is: "https://10.0.0.1:6443/" },
    { server: "10.0.0.1:8080", tls: "", is: "http://10.0.0.1:8080/" },
  ])("a server without a scheme: $server$tls", ({ server, tls, is }) => {
    const text = contexts(["a"], "a", tls).replace("https://a.test:6443", server);
    expect(look({}, file("c", text)).server.href).toBe(is);
  });

  test("a file is read again when it has changed, and only then", () => {
    const path = file("c", contexts(["a"], "a"));
    const kubeconfigs = new Kubeconfigs({ env: {}, home: folder });
    const before = kubeconfigs.connection(path, undefined);
    expect(kubeconfigs.connection(path, undefined).user).toBe(before.user);
    writeFileSync(path, contexts(["a", "b"], "b"));
    expect(kubeconfigs.connection(path, undefined).context).toBe("b");
  });
});
