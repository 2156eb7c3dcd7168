import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../test/fakes/apiserver.ts";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { makeFifo } from "../../../test/fakes/fifo.ts";
import { FakeLog } from "../../../test/fakes/world.ts";
import { KfwdError } from "../../errors.ts";
import { KubeAccess } from "./kubeaccess.ts";
import { Kubeconfigs } from "./kubeconfig.ts";

/** Something that can be reached: a plugin that fails is to blame only then. */
const server = createServer((socket) => socket.destroy());
let url: string;
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-access-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An access to a kubeconfig with this cluster and user, which can be rewritten. */
class Rig {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly path = join(folder, "config");
  readonly access: KubeAccess;
  readonly signal = new AbortController().signal;

  constructor(user: object, cluster: object = {}, env: Record<string, string> = {}) {
    this.write(user, cluster);
    const kubeconfigs = new Kubeconfigs({ env: {}, home: folder });
    const look = () => kubeconfigs.connection(this.path, "kt");
    const processEnv = { PATH: process.env["PATH"], ...env };
    this.access = new KubeAccess(look(), look, {
      clock: this.clock,
      random: () => 0.5,
      log: this.log,
      home: folder,
      env: processEnv,
      version: "1.2.3",
    });
  }

  write(user: object, cluster: object = {}): void {
    const config = {
      contexts: [{ name: "kt", context: { cluster: "c", user: "ann" } }],
      clusters: [{ name: "c", cluster: { server: url, ...cluster } }],
      users: [{ name: "ann", user }],
    };
    writeFileSync(this.path, JSON.stringify(config));
  }

  async headers(): Promise<Record<string, unknown>> {
    const { "User-Agent": agent, ...rest } = (await this.access.credentials(this.signal)).headers;
    expect(agent).toBe("kfwd/1.2.3");
    return rest;
  }

  async failure(): Promise<KfwdError> {
    try {
      await this.access.credentials(this.signal);
    } catch (error) {
      if (error instanceof KfwdError) return error;
      throw error;
    }
    throw new Error("nothing was thrown");
  }
}

/** A plugin that is a shell script; each run is a line in "runs". */
function plugin(script: string, more: object = {}): { exec: object } {
  const path = join(folder, "login");
  writeFileSync(path, `#!/bin/sh\necho run >> "${join(folder, "runs")}"\n${script}\n`);
  chmodSync(path, 0o755);
  return { exec: { apiVersion: "client.authentication.k8s.io/v1", command: path, ...more } };
}

function answer(token: string, expiresInMs?: number): string {
  const expiry =
    expiresInMs === undefined
      ? {}
      : { expirationTimestamp: new Date(1_700_000_000_000 + expiresInMs).toISOString() };
  return `cat <<'END'\n${JSON.stringify({ kind: "ExecCredential", status: { token, ...expiry } })}\nEND`;
}

function runs(): number {
  const path = join(folder, "runs");
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

describe("headers", () => {
  const basic = `Basic ${Buffer.from("ann:pw").toString("base64")}`;

  test.each([
    { name: "nobody", user: {}, is: {} },
    { name: "a token", user: { token: "t" }, is: { Authorization: "Bearer t" } },
    {
      name: "a name and a password",
      user: { username: "ann", password: "pw" },
      is: { Authorization: basic },
    },
    {
      name: "impersonation",
      user: {
        token: "t",
        as: "bob",
        "as-uid": "7",
        "as-groups": ["dev"],
        "as-user-extra": { "acme.com/team": ["a", "b"] },
      },
      is: {
        Authorization: "Bearer t",
        "Impersonate-User": "bob",
        "Impersonate-Uid": "7",
        "Impersonate-Group": "dev",
        "Impersonate-Extra-acme.com%2Fteam": ["a", "b"],
      },
    },
    {
      name: "several groups",
      user: { as: "bob", "as-groups": ["a", "b"] },
      is: { "Impersonate-User": "bob", "Impersonate-Group": ["a", "b"] },
    },
    {
      name: "a provider that has a token",
      user: { "auth-provider": { name: "gcp", config: { "access-token": "g" } } },
      is: { Authorization: "Bearer g" },
    },
  ])("$name", async ({ user, is }) => {
    expect(await new Rig(user).headers()).toEqual(is);
  });

  const jwt = (exp: number): string =>
    [{ alg: "none" }, { exp }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".") + ".x";

  test("an OIDC provider: its token while it is valid, and a clear word when it cannot be renewed", async () => {
    const user = (exp: number) => ({ "auth-provider": { name: "oidc", config: { "id-token": jwt(exp) } } });
    expect(await new Rig(user(4_000_000_000)).headers()).toEqual({
      Authorization: `Bearer ${jwt(4_000_000_000)}`,
    });
    expect(await new Rig(user(1)).failure()).toMatchObject({
      code: "CREDENTIALS",
      message:
        'cannot renew the login of user "ann" (auth provider "oidc"): its ID token has expired, and the kubeconfig has nothing to renew it with',
    });
  });

  test("a token in the kubeconfig is used instead of the plugin beside it", async () => {
    const rig = new Rig({ token: "t", ...plugin("exit 1") });
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
    expect(runs()).toBe(0);
  });

  test("a token file wins over a token, is read again after a minute, and its line end is not part of it", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "one\n");
    const rig = new Rig({ tokenFile, token: "spare" });
    expect(await rig.headers()).toEqual({ Authorization: "Bearer one" });
    writeFileSync(tokenFile, "two\n");
    await rig.clock.advance(59_999);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer one" });
    await rig.clock.advance(1);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer two" });
    rmSync(tokenFile);
    await rig.clock.advance(60_000);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer spare" });
  });
});

describe("files that are none", () => {
  test.each([
    { name: "the token", user: { tokenFile: "fifo" }, cluster: {}, whose: 'the token of user "ann"' },
    {
      name: "the certificate",
      user: { "client-certificate": "fifo" },
      cluster: {},
      whose: 'user "ann"',
    },
    {
      name: "the authority",
      user: {},
      cluster: { "certificate-authority": "fifo" },
      whose: 'the authority of cluster "c"',
    },
  ])("$name is a FIFO: told, not waited for", async ({ user, cluster, whose }) => {
    using fifo = makeFifo(join(folder, "fifo"));
    expect((await new Rig(user, cluster).failure()).message).toBe(
      `the kubeconfig names the file "${fifo.path}" for ${whose}: it is no regular file`,
    );
  });
});

describe("certificates", async () => {
  const made = await generate([{ name: "commonName", value: "x" }], { keyType: "ec", algorithm: "sha256" });
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const ca = { "certificate-authority-data": base64(made.cert) };
  const client = { "client-certificate-data": base64(made.cert), "client-key-data": base64(made.private) };

  test.each([
    { name: "an address", cluster: {}, is: { servername: "", rejectUnauthorized: true } },
    {
      name: "a name",
      cluster: { server: "https://k8s.test" },
      is: { servername: "k8s.test", rejectUnauthorized: true },
    },
    {
      name: "tls-server-name",
      cluster: { "tls-server-name": "kubernetes" },
      is: { servername: "kubernetes", rejectUnauthorized: true },
    },
    {
      name: "insecure-skip-tls-verify",
      cluster: { "insecure-skip-tls-verify": true },
      is: { servername: "", rejectUnauthorized: false },
    },
    {
      name: "plain http checks nothing away",
      cluster: { server: "http://k8s.test" },
      is: { servername: "k8s.test", rejectUnauthorized: true },
    },
  ])("$name", async ({ cluster, is }) => {
    const { tls } = await new Rig({}, cluster).access.credentials(new AbortController().signal);
    expect(tls).toMatchObject({ ...is, secureContext: expect.anything() });
  });

  test("from data or from files, data first", async () => {
    const paths = { ca: join(folder, "ca.crt"), cert: join(folder, "u.crt"), key: join(folder, "u.key") };
    writeFileSync(paths.ca, made.cert);
    writeFileSync(paths.cert, made.cert);
    writeFileSync(paths.key, made.private);
    const files = { "client-certificate": "u.crt", "client-key": "u.key" };
    await new Rig(files, { "certificate-authority": "ca.crt" }).headers();
    await new Rig(client, ca).headers();
    for (const path of Object.values(paths)) rmSync(path);
    await new Rig({ ...client, ...files }, { ...ca, "certificate-authority": "ca.crt" }).headers();
    expect(await new Rig(files, ca).failure()).toMatchObject({
      code: "KUBECONFIG_INVALID",
      message: `the kubeconfig names the file "${paths.cert}" for user "ann": it does not exist`,
    });
    expect((await new Rig({}, { "certificate-authority": "ca.crt" }).failure()).message).toBe(
      `the kubeconfig names the file "${paths.ca}" for the authority of cluster "c": it does not exist`,
    );
  });

  test("an authority that is none is told before anything is dialled", async () => {
    for (const text of ["garbage", ""]) {
      writeFileSync(join(folder, "ca.crt"), text);
      const given = [
        { "certificate-authority": "ca.crt" },
        { "certificate-authority-data": base64("garbage") },
      ];
      for (const cluster of given) {
        expect(await new Rig({}, cluster).failure()).toMatchObject({
          code: "KUBECONFIG_INVALID",
          message: 'the kubeconfig has no certificate as the authority of cluster "c": it is not PEM',
        });
      }
    }
  });

  test("what is no certificate is told without the parser's words", async () => {
    const error = await new Rig({ ...client, "client-key-data": base64("secret") }, ca).failure();
    expect(error).toMatchObject({ code: "KUBECONFIG_INVALID", exit: 4 });
    expect(error.message).toMatch(/^the certificates of context "kt" cannot be used: /);
    expect(error.message).not.toMatch(/secret|PEM_|routines/);
  });

  test("the same as before are the same object, so that connections can be shared", async () => {
    const rig = new Rig({ ...client, token: "a" }, ca);
    const first = await rig.access.credentials(rig.signal);
    rig.access.forget(first);
    expect(await rig.access.credentials(rig.signal)).toBe(first);
    rig.write({ ...client, token: "bb" }, ca);
    const second = await rig.access.credentials(rig.signal);
    expect(second).not.toBe(first);
    expect(second.tls).toBe(first.tls);
    rig.write({ ...client, token: "bb" }, { ...ca, "tls-server-name": "kubernetes" });
    expect((await rig.access.credentials(rig.signal)).tls).toMatchObject({ servername: "kubernetes" });
  });
});

describe("a kubeconfig that changes", () => {
  test("counts from the next dial; a broken one does not", async () => {
    const rig = new Rig({ token: "old" });
    await rig.headers();
    rig.write({ token: "newer" }, { server: "https://10.0.0.2:6443" });
    expect(await rig.headers()).toEqual({ Authorization: "Bearer newer" });
    expect(rig.access.server.href).toBe("https://10.0.0.2:6443/");
    writeFileSync(rig.path, "contexts: [");
    expect(await rig.headers()).toEqual({ Authorization: "Bearer newer" });
    rmSync(rig.path);
    await rig.clock.advance(60_000);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer newer" });
  });
});

describe("a credential plugin", () => {
  test("runs once for all who ask together, and its answer is kept", async () => {
    const rig = new Rig(plugin(answer("t")));
    const all = await Promise.all([rig.headers(), rig.headers(), rig.headers()]);
    const one = { Authorization: "Bearer t" };
    expect(all).toEqual([one, one, one]);
    await rig.clock.advance(86_400_000);
    await rig.headers();
    expect(runs()).toBe(1);
  });

  test("runs again 60 s before its answer expires", async () => {
    const rig = new Rig(plugin(answer("t", 600_000)));
    await rig.headers();
    await rig.clock.advance(539_999);
    await rig.headers();
    expect(runs()).toBe(1);
    await rig.clock.advance(1);
    await rig.headers();
    expect(runs()).toBe(2);
  });

  test("runs again when its answer expired while the machine slept: the wall clock decides", async () => {
    const rig = new Rig(plugin(answer("t", 600_000)));
    await rig.headers();
    const { clock } = rig;
    const wall = clock.wall.bind(clock);
    clock.wall = () => wall() + 3_600_000;
    await rig.headers();
    expect(runs()).toBe(2);
    clock.wall = () => wall() - 3_600_000; // an hour back: what was good is good
    await rig.headers();
    expect(runs()).toBe(2);
  });

  test.each([
    { name: "live for a short time: at half of it", expiresInMs: 40_000, untilMs: 20_000 },
    { name: "have expired already: not more often than each 10 s", expiresInMs: -5_000, untilMs: 10_000 },
  ])("whose answers $name", async ({ expiresInMs, untilMs }) => {
    const rig = new Rig(plugin(answer("t", expiresInMs)));
    await rig.headers();
    await rig.clock.advance(untilMs - 1);
    await rig.headers();
    expect(runs()).toBe(1);
    await rig.clock.advance(1);
    await rig.headers();
    expect(runs()).toBe(2);
  });

  test("runs again when its answer was refused, and late refusals of old ones count for nothing", async () => {
    const rig = new Rig(plugin('printf \'{"status":{"token":"%s"}}\' "$(wc -l < "$(dirname "$0")/runs")"'));
    const first = await rig.access.credentials(rig.signal);
    rig.access.forget(first);
    const second = await rig.access.credentials(rig.signal);
    expect(second).not.toBe(first);
    rig.access.forget(first);
    expect(await rig.access.credentials(rig.signal)).toBe(second);
    expect(runs()).toBe(2);
  });

  test("gets what KEP-541 says, its own variables, and no NODE_OPTIONS", async () => {
    const script = `env > "${join(folder, "env")}"; ${answer("t")}`;
    const cluster = {
      "tls-server-name": "kubernetes",
      extensions: [{ name: "client.authentication.k8s.io/exec", extension: { audience: "x" } }],
    };
    const user = plugin(script, { env: [{ name: "PROFILE", value: "dev" }], provideClusterInfo: true });
    await new Rig(user, cluster, { NODE_OPTIONS: "--inspect", KEEP: "1" }).headers();
    const env = readFileSync(join(folder, "env"), "utf8");
    expect(env).toMatch(/^PROFILE=dev$/m);
    expect(env).toMatch(/^KEEP=1$/m);
    expect(env).not.toContain("NODE_OPTIONS");
    expect(JSON.parse(/^KUBERNETES_EXEC_INFO=(.*)$/m.exec(env)?.[1] ?? "")).toEqual({
      kind: "ExecCredential",
      apiVersion: "client.authentication.k8s.io/v1",
      spec: {
        interactive: false,
        cluster: {
          server: `${url}/`,
          "tls-server-name": "kubernetes",
          config: { audience: "x" },
        },
      },
    });
  });

  test("is told nothing of the cluster unless it asks", async () => {
    const script = `printf '%s' "$KUBERNETES_EXEC_INFO" > "${join(folder, "info")}"; ${answer("t")}`;
    await new Rig(plugin(script), { extensions: [] }).headers();
    expect(JSON.parse(readFileSync(join(folder, "info"), "utf8"))).toMatchObject({
      spec: { interactive: false },
    });
    expect(readFileSync(join(folder, "info"), "utf8")).not.toContain("127.0.0.1");
  });

  test("may answer with a certificate", async () => {
    const made = await generate([{ name: "commonName", value: "x" }], { keyType: "ec", algorithm: "sha256" });
    const status = { clientCertificateData: made.cert, clientKeyData: made.private };
    const rig = new Rig(plugin(`cat <<'END'\n${JSON.stringify({ status })}\nEND`));
    expect(await rig.headers()).toEqual({});
  });

  test("that fails is quoted, without what could steer a terminal", async () => {
    const rig = new Rig(
      plugin("printf 'first\\n\\033[31mSSO session\\007 expired\\033[0m\\n' >&2; exit 255"),
    );
    const error = await rig.failure();
    expect(error).toMatchObject({
      code: "CREDENTIALS",
      exit: 4,
      message: `the credential plugin "${join(folder, "login")}" of user "ann" failed: first | SSO session  expired`,
      detail: "first\nSSO session  expired",
      hint: "log in to your cluster again",
    });
  });

  test("whose login tool is known comes with the command for it", async () => {
    writeFileSync(join(folder, "aws"), "#!/bin/sh\nexit 1\n");
    chmodSync(join(folder, "aws"), 0o755);
    const rig = new Rig({ exec: { apiVersion: "v1", command: "./aws" } });
    expect(await rig.failure()).toMatchObject({ hint: "aws sso login" });
    expect(rig.access.loginHint).toBe("aws sso login");
    const oidc = { apiVersion: "v1", command: "kubelogin", args: ["get-token", "--oidc-issuer-url=x"] };
    expect(new Rig({ exec: oidc }).access.loginHint).toBe("kubectl auth whoami, which opens the login");
    const azure = { apiVersion: "v1", command: "kubelogin", args: ["get-token", "--login", "azurecli"] };
    expect(new Rig({ exec: azure }).access.loginHint).toBe("az login");
  });

  test.each([
    {
      name: "is not there",
      exec: { command: "kfwd-no-such-plugin", installHint: "\nbrew install it\n\n  and log in\n" },
      what: /is not installed, or not on PATH$/,
      hint: "brew install it and log in",
    },
    {
      name: "is not there, and nobody says how to get it",
      exec: { command: "kfwd-no-such-plugin" },
      what: /is not installed, or not on PATH$/,
      hint: 'install "kfwd-no-such-plugin", or add its folder to PATH',
    },
    {
      name: "is no program",
      exec: { command: "./config", installHint: "brew install it" },
      what: /cannot be run: permission denied$/,
      hint: "brew install it",
    },
    {
      name: "fails without a word",
      exec: { command: "sh", args: ["-c", "exit 3"] },
      what: /failed without a word \(exit status 3\)$/,
      hint: "log in to your cluster again",
    },
    {
      name: "is ended by a signal",
      exec: { command: "sh", args: ["-c", "kill -9 $$"] },
      what: /failed without a word \(a signal ended it\)$/,
      hint: "log in to your cluster again",
    },
    {
      name: "wants a terminal",
      exec: { command: "sh", interactiveMode: "Always" },
      what: /wants a terminal, and kfwd has none for it$/,
      hint: "kfwd down, then kfwd up in a terminal and without -d: there the plugin may ask once, when it starts",
    },
  ])("that $name", async ({ exec, what, hint }) => {
    const error = await new Rig({ exec: { apiVersion: "v1", ...exec } }).failure();
    expect(error).toMatchObject({ code: "CREDENTIALS", hint });
    expect(error.message).toMatch(what);
  });

  test.each(["", "hello", "{}", '{"status":null}', '{"status":{}}'])(
    "that prints %j has not answered",
    async (text) => {
      const error = await new Rig(plugin(`printf '%s' '${text}'`)).failure();
      expect(error.message).toMatch(/printed something that is not an ExecCredential$/);
      expect(error.hint).toBe("run it in a terminal to see what it prints");
    },
  );

  test("that prints a secret on stderr is quoted without it", async () => {
    const rig = new Rig(plugin("echo 'SSO session expired; token=sk-CANARY-1, try aws' >&2; exit 1"));
    const error = await rig.failure();
    expect(error.message).toMatch(/failed: SSO session expired; token=\[redacted\], try aws$/);
    expect(error.detail).not.toContain("CANARY");
  });

  test("that hangs is ended after 30 s, also when a child of it holds on", async () => {
    const pid = join(folder, "pid");
    const rig = new Rig(plugin(`echo $$ > "${pid}"; sleep 3 & wait`));
    const work = rig.failure();
    await until(() => existsSync(pid) && readFileSync(pid, "utf8").endsWith("\n") && rig.clock.pending === 1);
    await rig.clock.advance(29_999);
    expect(isRunning(pid)).toBe(true);
    await rig.clock.advance(1);
    expect(await work).toMatchObject({
      message: expect.stringMatching(/gave no answer within 30 s$/) as string,
      hint: "it may wait for somebody: log in with it in a terminal first",
    });
    await until(() => !isRunning(pid));
    await until(() => rig.clock.pending === 0);
  });

  test("that hangs after it said where to log in is quoted", async () => {
    const login = "open https://login.test and enter ABC";
    const rig = new Rig(plugin(`echo '${login}' >&2; exec sleep 60`, { interactiveMode: "IfAvailable" }));
    const said: string[] = [];
    const work = rig.access.login({ say: (text) => void said.push(text) });
    await until(() => said.join("") === `${login}\n`);
    const failure = rig.failure(); // shares the run
    await rig.clock.advance(300_000);
    expect((await failure).message).toMatch(/ gave no answer within 300 s; it said: open .* enter ABC$/);
    await work;
    await until(() => rig.clock.pending === 0);
  });

  test("that does not end when it is asked to is killed two seconds later, with what it started", async () => {
    const pid = join(folder, "pid");
    const rig = new Rig(plugin(`trap '' TERM; echo $$ > "${pid}"; while :; do sleep 0.05; done`));
    const work = rig.failure();
    await until(() => existsSync(pid) && readFileSync(pid, "utf8").endsWith("\n"));
    await rig.clock.advance(30_000);
    await work;
    await rig.clock.advance(1_999);
    expect(isRunning(pid)).toBe(true);
    await rig.clock.advance(1);
    await until(() => !isRunning(pid));
    await until(() => rig.clock.pending === 0);
  });

  test.each(["", ">&2"])("that prints without end is ended (%j)", async (where) => {
    const rig = new Rig(plugin(`yes token ${where}`));
    expect((await rig.failure()).message).toMatch(/ printed more than 1 MiB, which is no ExecCredential$/);
    await until(() => rig.clock.pending === 0);
  });

  test("that could not be started is looked for again and again: no window was opened", async () => {
    const rig = new Rig({ exec: { apiVersion: "v1", command: "./login" } });
    for (let i = 0; i < 5; i++) expect((await rig.failure()).message).toMatch(/is not installed/);
    plugin(answer("t"));
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
  });

  test("reads the end of its input at once", async () => {
    expect(await new Rig(plugin(`cat > /dev/null; ${answer("t")}`)).headers()).toEqual({
      Authorization: "Bearer t",
    });
  });

  test("ends when the access is closed; who only waits for it leaves sooner", async () => {
    const pid = join(folder, "pid");
    const rig = new Rig(plugin(`echo $$ > "${pid}"; exec sleep 60`));
    const controller = new AbortController();
    const left = rig.access.credentials(controller.signal).catch((error: unknown) => error);
    const stayed = rig.failure();
    await until(() => existsSync(pid) && readFileSync(pid, "utf8").endsWith("\n"));
    const why = new Error("enough");
    controller.abort(why);
    expect(await left).toBe(why);
    expect(isRunning(pid)).toBe(true);
    rig.access[Symbol.dispose]();
    expect((await stayed).message).toContain("has been closed");
    await until(() => !isRunning(pid));
    expect(runs()).toBe(1);
  });

  test("that failed three times is left alone for ten minutes, or until a person asks", async () => {
    const rig = new Rig(plugin("echo no >&2; exit 1"));
    expect((await rig.failure()).hint).toBe("log in to your cluster again");
    for (let i = 0; i < 4; i++) expect((await rig.failure()).message).toMatch(/failed: no$/);
    expect(runs()).toBe(3);
    expect((await rig.failure()).hint).toBe(
      "log in to your cluster again, then kfwd up: after 3 failures the plugin is run each 10 min only",
    );
    await rig.clock.advance(599_999);
    await rig.failure();
    expect(runs()).toBe(3);
    await rig.clock.advance(1);
    await rig.failure();
    await rig.failure();
    expect(runs()).toBe(4);
    rig.access.retry();
    await rig.failure();
    expect(runs()).toBe(5);
  });

  test("is run once more when somebody has logged in, or installed it anew", async () => {
    const user = plugin("echo no >&2; exit 1");
    const [aws, cache] = [join(folder, "aws"), join(folder, ".aws", "sso", "cache")];
    mkdirSync(cache, { recursive: true });
    renameSync(join(folder, "login"), aws);
    const rig = new Rig({ exec: { ...user.exec, command: aws } });
    for (let i = 0; i < 5; i++) await rig.failure();
    expect(runs()).toBe(3);
    writeFileSync(join(cache, "token.json"), "{}");
    for (let i = 0; i < 5; i++) await rig.failure();
    expect(runs()).toBe(4);
    plugin(answer("t"));
    renameSync(join(folder, "login"), aws);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
  });

  test("whose answers the server refuses is left alone as well", async () => {
    const rig = new Rig(plugin('printf \'{"status":{"token":"%s"}}\' "$(wc -l < "$(dirname "$0")/runs")"'));
    for (let i = 0; i < 9; i++) rig.access.forget(await rig.access.credentials(rig.signal));
    expect(runs()).toBe(3);
  });

  test("is run again as soon as the kubeconfig has another one, however often it failed", async () => {
    const rig = new Rig(plugin("exit 1"));
    for (let i = 0; i < 5; i++) await rig.failure();
    rig.write(plugin(answer("t"), { args: ["--new"] }));
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
  });

  test("is not run for an edit of the kubeconfig that is not about it", async () => {
    const rig = new Rig(plugin(answer("t")));
    await rig.headers();
    writeFileSync(rig.path, `${readFileSync(rig.path, "utf8")}\n\n`);
    await rig.headers();
    expect(runs()).toBe(1);
  });

  test("is not run because an authority was renewed beside it", async () => {
    const make = () => generate([{ name: "commonName", value: "x" }], { keyType: "ec", algorithm: "sha256" });
    const ca = join(folder, "ca.crt");
    writeFileSync(ca, (await make()).cert);
    const rig = new Rig(plugin(answer("t")), { "certificate-authority": "ca.crt" });
    const first = await rig.access.credentials(rig.signal);
    writeFileSync(ca, (await make()).cert);
    await rig.clock.advance(60_000);
    expect((await rig.access.credentials(rig.signal)).tls).not.toBe(first.tls);
    expect(runs()).toBe(1);
  });

  test("whose same answer is refused again and again is left alone, though it was good for long", async () => {
    const rig = new Rig(plugin(answer("t")));
    await rig.headers();
    await rig.clock.advance(3_600_000);
    for (let i = 0; i < 9; i++) rig.access.forget(await rig.access.credentials(rig.signal));
    expect(runs()).toBe(4);
  });

  test("whose answers were good for long may be refused many times", async () => {
    const rig = new Rig(plugin('printf \'{"status":{"token":"%s"}}\' "$(wc -l < "$(dirname "$0")/runs")"'));
    for (let i = 0; i < 5; i++) {
      const credentials = await rig.access.credentials(rig.signal);
      await rig.clock.advance(300_000);
      rig.access.forget(credentials);
    }
    expect(runs()).toBe(5);
  });
});

describe("a credential plugin without a network", () => {
  const unreachable = { server: "https://127.0.0.1:1" };

  test("is not blamed, not run again and again, and run at once when there is one", async () => {
    const rig = new Rig(plugin("exit 1"), unreachable);
    for (let i = 0; i < 5; i++) {
      expect(await rig.failure()).toMatchObject({
        code: "UNREACHABLE",
        message: 'cannot reach https://127.0.0.1:1 (context "kt"): connection refused',
      });
    }
    expect(runs()).toBe(1);
    rig.write(plugin(answer("t")));
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
    rig.access[Symbol.dispose]();
    expect(rig.clock.pending).toBe(0);
  });

  test("whose answer still holds need not be run, so dials go on", async () => {
    const rig = new Rig(plugin(answer("t", 600_000)), unreachable);
    await rig.headers();
    rig.access.lookout.failed(new KfwdError("UNREACHABLE", "x"));
    await until(() => rig.access.lookout.trouble !== undefined);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
    await rig.clock.advance(540_000);
    expect((await rig.failure()).code).toBe("UNREACHABLE");
    expect(runs()).toBe(1);
    rig.access[Symbol.dispose]();
  });
});

describe("a credential plugin and a terminal", () => {
  const info = () =>
    JSON.parse(readFileSync(join(folder, "info"), "utf8")) as { spec: { interactive: boolean } };
  const asking = `echo 'code?' >&2; printf '%s' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"; `;
  const terminal = () => {
    const said: string[] = [];
    return { said, say: (text: string) => void said.push(text) };
  };

  test.each(["Always", "IfAvailable", undefined])(
    "with %s it may ask once, before anything else; later it gets none",
    async (interactiveMode) => {
      const rig = new Rig(plugin(asking + answer("t", 600_000), { interactiveMode }));
      const tty = terminal();
      await rig.access.login(tty);
      expect(tty.said.join("")).toBe("code?\n");
      expect(info().spec.interactive).toBe(true);
      expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
      await rig.access.login(tty);
      expect(runs()).toBe(1);

      await rig.clock.advance(540_000);
      if (interactiveMode === "Always") {
        expect((await rig.failure()).message).toMatch(/wants a terminal, and kfwd has none for it$/);
      } else {
        await rig.headers();
        expect(info().spec.interactive).toBe(false);
        expect(tty.said.join("")).toBe("code?\n");
      }
    },
  );

  test("with Never it is not even run ahead", async () => {
    const rig = new Rig(plugin(answer("t"), { interactiveMode: "Never" }));
    await rig.access.login(terminal());
    expect(runs()).toBe(0);
  });

  test("what fails there ends nothing, and is told by who needs it", async () => {
    const rig = new Rig(plugin("echo no >&2; exit 1", { interactiveMode: "IfAvailable" }));
    const tty = terminal();
    await rig.access.login(tty);
    expect(tty.said.join("")).toBe("no\n");
    expect((await rig.failure()).message).toMatch(/failed: no$/);
  });
});

describe("what holds although it cannot be read any more", () => {
  test("a kubeconfig: broken, then gone, then mended", async () => {
    const rig = new Rig({ token: "t" });
    await rig.headers();
    expect(rig.access.notes()).toEqual([]);
    writeFileSync(rig.path, "contexts: [");
    expect(rig.access.notes()).toMatchObject([
      {
        code: "KubeconfigStale",
        message: `kubeconfig "${rig.path}" is not valid YAML (line 1, column 12); what it said before holds`,
      },
    ]);
    rig.access.notes();
    expect(rig.log.lines).toEqual(["kubeconfig stale"]);
    rmSync(rig.path);
    expect(rig.access.notes()[0]?.message).toBe(
      `kubeconfig "${rig.path}" does not exist; what it said before holds`,
    );
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t" });
    rig.write({ token: "t2" });
    expect(rig.access.notes()).toEqual([]);
    expect(rig.log.lines).toEqual(["kubeconfig stale", "kubeconfig stale", "kubeconfig good"]);
    expect(await rig.headers()).toEqual({ Authorization: "Bearer t2" });
  });

  test("a token file that is being written: the last token, until the server refuses it", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "one");
    const rig = new Rig({ tokenFile });
    const first = await rig.access.credentials(rig.signal);
    writeFileSync(tokenFile, "");
    await rig.clock.advance(60_000);
    expect(await rig.access.credentials(rig.signal)).toBe(first);
    const empty = `the kubeconfig names the file "${tokenFile}" for the token of user "ann": it is empty`;
    expect(rig.access.notes()[0]?.message).toBe(`${empty}; what it said before holds`);
    rig.access.forget(first);
    expect((await rig.failure()).message).toBe(empty);
    writeFileSync(tokenFile, "two");
    expect(await rig.headers()).toEqual({ Authorization: "Bearer two" });
    expect(rig.access.notes()).toEqual([]);
  });
});

test("certificates that are not checked are told in status", async () => {
  expect(new Rig({}, { "insecure-skip-tls-verify": true }).access.notes()).toEqual([
    {
      code: "TlsNotVerified",
      message: 'context "kt" does not check the certificate of its cluster (insecure-skip-tls-verify)',
    },
  ]);
});

function isRunning(pidFile: string): boolean {
  try {
    process.kill(Number(readFileSync(pidFile, "utf8")), 0);
    return true;
  } catch {
    return false;
  }
}
