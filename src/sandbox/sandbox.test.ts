import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { SpdyClient, dialServer } from "../../test/fakes/spdyclient.ts";
import { echoApp } from "./apps.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

let certificates: Certificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

function start(options: SandboxOptions = {}): Promise<Sandbox> {
  return Sandbox.start({ certificates, ...options });
}

/** Asks over a certificate that is checked. */
async function status(sandbox: Sandbox, path: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${sandbox.token()}` };
  const asking = get(`${sandbox.url}${path}`, { agent: false, ca: sandbox.ca, headers });
  const [response] = (await once(asking, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

describe("a sandbox", () => {
  test("has a certificate of its own that its CA vouches for", async () => {
    await using sandbox = await Sandbox.start();
    expect(await status(sandbox, "/version")).toBe(200);
    const stranger = get(`${sandbox.url}/version`, { agent: false, ca: certificates.ca });
    const [error] = (await once(stranger, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/CERT|SIGNATURE/);
  });

  test("stands beside others", async () => {
    await using one = await start({ name: "one" });
    await using two = await start({ name: "two", scheme: "http" });
    expect(two.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(two.ca).toBeUndefined();
    one.cluster.createService("shop", { name: "api" });
    expect(await status(one, "/api/v1/namespaces/shop/services/api")).toBe(200);
    expect(two.url).not.toBe(one.url);
  });

  test("serves under its prefix and nowhere else", async () => {
    await using sandbox = await start({ prefix: "/k8s/clusters/c-1" });
    expect(sandbox.url).toMatch(/:\d+\/k8s\/clusters\/c-1$/);
    expect(await status(sandbox, "/api/v1/pods")).toBe(200);
    const { origin } = new URL(sandbox.url);
    const outside = get(`${origin}/api/v1/pods`, { agent: false, ca: sandbox.ca });
    expect(((await once(outside, "response")) as [IncomingMessage])[0].statusCode).toBe(404);
    sandbox.cluster.createPod("shop", { name: "p", app: { 7: echoApp() } });
    await sandbox.until(() => sandbox.pods.host("shop", "p"));
    using client = await SpdyClient.to(
      { url: sandbox.url, ca: sandbox.ca, token: sandbox.token() },
      "shop",
      "p",
    );
    const { data } = client.open(7);
    client.write(data, "through the prefix");
    await client.until(`data ${data} through the prefix`);
  });

  test("writes a kubeconfig for its owner only", async () => {
    await using sandbox = await start({ name: "staging" });
    const folder = await mkdtemp(join(tmpdir(), "kfwd-sandbox-"));
    try {
      const path = join(folder, "config");
      await sandbox.writeKubeconfig(path, "nobody", "shop");
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "staging",
        contexts: [{ name: "staging", context: { cluster: "staging", user: "nobody", namespace: "shop" } }],
        clusters: [
          {
            name: "staging",
            cluster: {
              server: sandbox.url,
              "certificate-authority-data": Buffer.from(certificates.ca).toString("base64"),
            },
          },
        ],
        users: [{ name: "nobody", user: { token: sandbox.token("nobody") } }],
      });
    } finally {
      await rm(folder, { recursive: true });
    }
    expect(() => sandbox.kubeconfig("stranger")).toThrow('no user "stranger"');
  });
});

describe("an API server that stops", () => {
  test("resets and refuses connections, and comes back on its port while pods live on", async () => {
    await using sandbox = await start();
    sandbox.cluster.createPod("shop", { name: "p", app: { 7: echoApp() } });
    const host = await sandbox.until(() => sandbox.pods.host("shop", "p"));
    const { url } = sandbox;
    using client = await SpdyClient.to({ url, ca: sandbox.ca, token: sandbox.token() }, "shop", "p");
    sandbox.stopApi();
    await client.until("closed");
    const [error] = (await once(connect(Number(new URL(url).port), "127.0.0.1"), "error")) as [
      NodeJS.ErrnoException,
    ];
    expect(error.code).toBe("ECONNREFUSED");
    await sandbox.startApi();
    expect(sandbox.url).toBe(url);
    expect(await status(sandbox, "/api/v1/namespaces/shop/pods/p")).toBe(200);
    expect(sandbox.pods.host("shop", "p")).toBe(host);
  });

  test("hangs: it takes connections and says nothing", async () => {
    await using sandbox = await start();
    sandbox.setWelcome("hang");
    const socket = connect(Number(new URL(sandbox.url).port), "127.0.0.1");
    socket.on("error", () => {});
    await sandbox.until(() => sandbox.open.sockets === 1);
    socket.write("anyone?");
    sandbox.setWelcome("serve");
    await status(sandbox, "/version");
    expect([socket.bytesRead, socket.destroyed]).toEqual([0, false]);
    socket.destroy();
  });
});

describe("disposal", () => {
  test("closes everything at once, whoever is connected, and leaves nothing behind", async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
    const before = handles();
    const sandbox = await start({ runtime: { lingerMs: 60_000, pairingMs: 60_000 } });
    sandbox.cluster.createDeployment("shop", {
      name: "api",
      replicas: 3,
      app: { 7: echoApp(), 8: echoApp() },
    });
    const pod = await sandbox.until(() =>
      sandbox.cluster.list("shop").find((p) => p.status.phase === "Running"),
    );
    const server = { url: sandbox.url, ca: sandbox.ca, token: sandbox.token() };
    using client = await SpdyClient.to(server, "shop", pod.metadata.name);
    const { data } = client.open(7);
    client.write(data, "hello");
    await client.until(`data ${data} hello`);
    client.end(data); // its linger begins
    client.socket.write(client.syn(99, { streamtype: "error", port: "7", requestid: "alone" }));
    const watching = get(`${sandbox.url}/api/v1/pods?watch=1&allowWatchBookmarks=true`, {
      agent: false,
      ca: sandbox.ca,
      headers: { authorization: `Bearer ${server.token}` },
    });
    watching.on("error", () => {});
    const [response] = (await once(watching, "response")) as [IncomingMessage];
    response.on("error", () => {});
    const idle = await dialServer(server);
    idle.on("error", () => {});
    const never = expect(sandbox.until(() => false)).rejects.toThrow("disposed");
    await sandbox.until(() => sandbox.open.sockets === 3 && sandbox.open.watches === 1);

    const closed = [idle, response].map((each) => new Promise((resolve) => each.once("close", resolve)));
    const from = performance.now();
    await sandbox[Symbol.asyncDispose]();
    expect(performance.now() - from).toBeLessThan(1000);
    await never;
    expect(sandbox.open).toEqual({ sockets: 0, watches: 0, upgrades: 0, streams: 0, podSockets: 0 });
    await Promise.all(closed);
    await client.until("closed");
    for (let turn = 0; turn < 3; turn++) await settle(); // libuv lets go of a handle a turn after its close
    expect(handles()).toBeLessThanOrEqual(before);
  });

  test("may come twice", async () => {
    const sandbox = await start();
    await sandbox[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });
});

test("a wait for what never comes ends with what it waited for", async () => {
  await using sandbox = await start();
  await expect(sandbox.until(() => sandbox.open.watches === 7, 5)).rejects.toThrow(
    "sandbox.open.watches === 7",
  );
});
