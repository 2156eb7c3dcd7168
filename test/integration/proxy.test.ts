import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeCertificates, type Certificates } from "../../src/sandbox/certificates.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { ask, closing, dial, expectEcho } from "../rig/client.ts";
import { PrefixProxy } from "../rig/prefixproxy.ts";
import { Project } from "../rig/project.ts";
import { TunnelProxy, type TunnelProxyOptions } from "../rig/tunnelproxy.ts";

const LOGIN = { user: "ann", password: "p@ss:w/rd#1 ü" };

/** A name that only proxies of these tests resolve. */
const INSIDE = "cluster.inside.invalid";

/** The command behind proxies: lists, watches and upgrades alike. Each test has a sandbox of its own, to count. */
describe.concurrent("an API server behind a proxy", () => {
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = await makeCertificates();
  });

  /** A sandbox with an app, and a project whose kubeconfig says of the cluster what a test wants. */
  class Rig implements AsyncDisposable {
    readonly world: SandboxWorld;
    readonly namespace: string;
    readonly project: Project;

    private constructor(world: SandboxWorld, namespace: string, project: Project) {
      this.world = world;
      this.namespace = namespace;
      this.project = project;
    }

    static async start(): Promise<Rig> {
      const world = await SandboxWorld.start();
      const namespace = await world.newNamespace();
      await world.deploy(namespace, "app");
      const file = fileOf(namespace, { echo: { target: "svc/app", port: 7000, local: "auto" } });
      return new Rig(world, namespace, await Project.create({ file }));
    }

    get port(): number {
      return Number(new URL(this.world.sandbox.url).port);
    }

    /** Fields of the cluster in the kubeconfig, beside or instead of the usual ones. */
    async kubeconfig(cluster: Readonly<Record<string, unknown>>): Promise<void> {
      const config = JSON.parse(this.world.sandbox.kubeconfig()) as { clusters: { cluster: object }[] };
      for (const entry of config.clusters) entry.cluster = { ...entry.cluster, ...cluster };
      const path = join(this.project.root, "kubeconfig");
      await writeFile(path, JSON.stringify(config), { mode: 0o600 });
      this.project.env["KUBECONFIG"] = path;
    }

    /** The authority of the proxy's certificate, for a command that checks it. */
    async trustProxy(): Promise<void> {
      const path = join(this.project.root, "proxy-ca.pem");
      await writeFile(path, certificates.ca);
      this.project.env["NODE_EXTRA_CA_CERTS"] = path;
    }

    /** Every connection of the API server came through the proxy, and the forward works. */
    async expectThrough(proxy: TunnelProxy, server = `127.0.0.1:${this.port}`): Promise<void> {
      expect(await ask(await this.project.port("echo"))).toBe("ping\n");
      const { sandbox } = this.world;
      await sandbox.until(() => sandbox.open.watches === 2 && sandbox.open.upgrades > 0);
      await sandbox.until(() => proxy.tunnels === sandbox.open.sockets);
      expect(new Set(proxy.asked)).toEqual(new Set([server]));
      expect(proxy.asked.length).toBeGreaterThan(2);
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await this.project[Symbol.asyncDispose]();
      await this.world[Symbol.asyncDispose]();
    }
  }

  const proxyOf = (options: TunnelProxyOptions): Promise<TunnelProxy> =>
    TunnelProxy.start({ hosts: { [INSIDE]: "127.0.0.1" }, certificates, ...options });

  test.each<TunnelProxyOptions>([
    { scheme: "http" },
    { scheme: "http", login: LOGIN },
    { scheme: "https", login: LOGIN },
    { scheme: "socks5" },
    { scheme: "socks5", login: LOGIN },
  ])("`proxy-url` of the kubeconfig, %j: everything goes through it", async (options) => {
    await using proxy = await proxyOf(options);
    await using rig = await Rig.start();
    await rig.trustProxy();
    await rig.kubeconfig({ "proxy-url": proxy.url() });
    await rig.project.ok("up", "--wait");
    await rig.expectThrough(proxy);
    await rig.project.ok("down");
    await rig.world.sandbox.until(() => proxy.tunnels === 0);
  });

  test.each([
    ["HTTPS_PROXY", { scheme: "http", login: LOGIN }],
    ["https_proxy", { scheme: "https" }],
    ["HTTPS_PROXY", { scheme: "socks5" }],
  ] as const)("%s, %j: the proxy resolves the server's name", async (variable, options) => {
    await using proxy = await proxyOf(options);
    await using rig = await Rig.start();
    await rig.trustProxy();
    rig.project.env[variable] = proxy.url();
    rig.project.env["NO_PROXY"] = "other.invalid,10.0.0.0/8";
    await rig.kubeconfig({ server: `https://${INSIDE}:${rig.port}`, "tls-server-name": "localhost" });
    await rig.project.ok("up", "--wait");
    await rig.expectThrough(proxy, `${INSIDE}:${rig.port}`);
  });

  test("HTTP_PROXY, for a server without TLS", async () => {
    await using proxy = await proxyOf({ scheme: "http" });
    await using rig = await Rig.start();
    const { sandbox } = rig.world;
    const plain = { server: sandbox.url, ca: sandbox.ca ?? "", prefix: "" };
    await using front = await PrefixProxy.start(plain);
    const { port } = new URL(front.url);
    rig.project.env["HTTP_PROXY"] = proxy.url();
    rig.project.env["HTTPS_PROXY"] = "http://127.0.0.1:1";
    const server = `http://${INSIDE}:${port}`;
    await rig.kubeconfig({ server, "certificate-authority-data": undefined });
    await rig.project.ok("up", "--wait");
    expect(await ask(await rig.project.port("echo"))).toBe("ping\n");
    expect(new Set(proxy.asked)).toEqual(new Set([`${INSIDE}:${port}`]));
  });

  test.each([
    ["names it", "0.0.0.0", { NO_PROXY: "other.invalid, 0.0.0.0" }],
    ["names its network, in small letters", "0.0.0.0", { no_proxy: "0.0.0.0/8" }],
    ["has a star", "0.0.0.0", { NO_PROXY: "*" }],
    ["is empty and the server is this machine", "127.0.0.1", {}],
  ])("NO_PROXY that %s: the server is dialled directly", async (_, host, env) => {
    await using proxy = await proxyOf({ scheme: "http" });
    await using rig = await Rig.start();
    Object.assign(rig.project.env, { HTTPS_PROXY: proxy.url(), ...env });
    await rig.kubeconfig({ server: `https://${host}:${rig.port}`, "tls-server-name": "localhost" });
    await rig.project.ok("up", "--wait");
    expect(await ask(await rig.project.port("echo"))).toBe("ping\n");
    expect(proxy.asked).toEqual([]);
  });

  test("NO_PROXY has no say in what the kubeconfig wants", async () => {
    await using proxy = await proxyOf({ scheme: "http" });
    await using rig = await Rig.start();
    Object.assign(rig.project.env, { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "*" });
    await rig.kubeconfig({ "proxy-url": proxy.url() });
    await rig.project.ok("up", "--wait");
    await rig.expectThrough(proxy);
  });

  test.each([{ scheme: "http" }, { scheme: "socks5" }] as const)(
    "a login the proxy refuses, %j: said so without the password, exit 4",
    async (options) => {
      await using proxy = await proxyOf({ ...options, login: LOGIN });
      await using rig = await Rig.start();
      await rig.kubeconfig({ "proxy-url": proxy.url({ user: "ann", password: "hunter2" }) });
      const { status, stdout, stderr } = await rig.project.run("up", "--wait");
      expect(status).toBe(4);
      const { reason } = await rig.project.forward("echo");
      expect(reason).toMatchObject({ code: "Credentials", kind: "denied" });
      expect(reason?.message).toBe(
        `cannot reach ${rig.world.sandbox.url} (context "sandbox") through proxy 127.0.0.1:${proxy.port}: it refused this user and password`,
      );
      expect(reason?.hint).toBe("check user and password in `proxy-url` of this cluster in the kubeconfig");
      expect(stdout + stderr + JSON.stringify(await rig.project.status())).not.toContain("hunter2");
      expect(proxy.asked).toEqual([]);
    },
  );

  test.each([
    [{ "proxy-url": "ftp://ann:hunter2@proxy:21" }, {}, /whose `proxy-url` begins with "ftp:\/\/"/],
    [{}, { HTTPS_PROXY: "http://ann:hunter#2@proxy" }, /HTTPS_PROXY is not a URL/],
  ])("a setting that names no proxy, %j %j: exit 4, nothing starts", async (cluster, env, words) => {
    await using rig = await Rig.start();
    Object.assign(rig.project.env, env);
    await rig.kubeconfig({ server: "https://10.0.0.1:6443", ...cluster });
    const { status, stderr } = await rig.project.run("up", "-d");
    expect(status).toBe(4);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("hunter");
    expect((await rig.project.run("status")).status).toBe(3);
  });

  test("a proxy whose certificate nobody vouches for gets no login", async () => {
    await using proxy = await proxyOf({ scheme: "https", login: LOGIN });
    await using rig = await Rig.start();
    rig.project.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    await rig.kubeconfig({ "proxy-url": proxy.url(), "insecure-skip-tls-verify": true });
    const { status, stderr } = await rig.project.run("up", "--wait", "--wait-timeout", "1s");
    expect(status).toBe(4);
    expect(stderr).toContain("its certificate is signed by an authority that this machine does not trust");
    expect(proxy.heads).toEqual([]);
  });

  test("a proxy that is down: said so, exit 4; when it is there all is well; when it dies, it is made good", async () => {
    await using proxy = await proxyOf({ scheme: "http", login: LOGIN });
    await using rig = await Rig.start();
    const { project } = rig;
    proxy.close();
    await rig.kubeconfig({ "proxy-url": proxy.url() });
    const late = await project.run("up", "--wait", "--wait-timeout", "1s");
    expect(late.status).toBe(4);
    const words = `cannot reach proxy 127.0.0.1:${proxy.port} on the way to ${rig.world.sandbox.url} (context "sandbox"): connection refused`;
    expect((await project.forward("echo")).reason).toMatchObject({
      code: "Unreachable",
      kind: "unreachable",
      message: words,
      hint: "is it up? `proxy-url` of this cluster in the kubeconfig names it",
    });

    await proxy.open();
    await project.ok("up", "--wait");
    const client = await dial(await project.port("echo"));
    await expectEcho(client);

    proxy.close();
    await closing(client);
    const { reason } = await project.until("echo", (status) => status.reason?.code === "Unreachable");
    expect(reason?.message).toBe(words);
    const before = proxy.asked.length;

    await proxy.open();
    await project.until("echo", ({ state }) => state === "ready");
    await rig.expectThrough(proxy);
    expect(proxy.asked.length).toBeGreaterThan(before);
  });

  test("a server that is down behind a proxy: the proxy's words, exit 4", async () => {
    await using proxy = await proxyOf({ scheme: "http" });
    await using rig = await Rig.start();
    await rig.kubeconfig({ "proxy-url": proxy.url() });
    rig.world.sandbox.stopApi();
    const { status } = await rig.project.run("up", "--wait", "--wait-timeout", "1s");
    expect(status).toBe(4);
    expect((await rig.project.forward("echo")).reason?.message).toBe(
      `cannot reach ${rig.world.sandbox.url} (context "sandbox") through proxy 127.0.0.1:${proxy.port}: it answered "503 Service Unavailable" to CONNECT`,
    );
    await rig.world.sandbox.startApi();
    await rig.project.ok("up", "--wait");
  });

  test.each([
    ["", undefined],
    [", behind a proxy", { scheme: "http" }],
  ] as const)(
    "a path prefix in the server's URL%s: passed on for lists, watches and upgrades",
    async (_, options) => {
      await using rig = await Rig.start();
      const { sandbox } = rig.world;
      const prefix = "/k8s/clusters/c-m-1";
      await using front = await PrefixProxy.start({
        server: sandbox.url,
        ca: sandbox.ca ?? "",
        certificates,
        prefix,
      });
      await using proxy = options && (await proxyOf(options));
      await rig.kubeconfig({
        server: front.url,
        "certificate-authority-data": Buffer.from(certificates.ca).toString("base64"),
        "proxy-url": proxy?.url(),
      });
      await rig.project.ok("up", "--wait");
      expect(await ask(await rig.project.port("echo"))).toBe("ping\n");
      expect(
        front.asked.every((path) => path.startsWith(`${prefix}/api/v1/namespaces/${rig.namespace}/`)),
      ).toBe(true);
      expect(front.asked.filter((path) => path.endsWith("/portforward")).length).toBeGreaterThan(0);
      expect(front.asked.filter((path) => path.includes("watch=true")).length).toBe(2);
      if (proxy) expect(new Set(proxy.asked)).toEqual(new Set([new URL(front.url).host]));
    },
  );
});
