import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../../src/sandbox/certificates.ts";
import { dial, expectEcho, httpGet, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import type { Proxy } from "../rig/proxy.ts";
import { Project as Projects } from "../rig/project.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";

/** How soon all forwards are ready once the API server serves again, and what a busy machine may add. */
const RETURN_MS = 5_000;
const BUSY_MS = 3_000;

/** Of an outage, long enough for every wait between two tries to have grown. */
const OUTAGE_MS = 6_000;

/** How often it is looked whether nothing is asked. */
const TRIES_MAX = 4;

const APPS = ["a", "b", "c", "d"];
const FORWARDS = 20;

/** What an API server does to its clients, and what they do to it: counted, which only a sandbox can. */
describe("twenty forwards and their API server", () => {
  let world: SandboxWorld;
  let proxy: Proxy;
  let kubeconfig: string;
  let project: Project;
  let ports: readonly (number | null)[];

  beforeAll(async () => {
    world = await SandboxWorld.start();
    const namespaces = [await world.newNamespace(), await world.newNamespace()];
    for (const namespace of namespaces)
      for (const app of APPS) await world.deploy(namespace, app, { replicas: 2 });
    ({ kubeconfig, proxy } = await world.behindProxy());
    const forwards = Array.from({ length: FORWARDS }, (_, i) => {
      const target = `${namespaces[i % 2]}/svc/${APPS[i % APPS.length]}`;
      return [`f${i}`, { target, port: i < 8 ? "http" : 7000, local: "auto" }] as const;
    });
    project = await Projects.create({
      kubeconfig,
      file: fileOf(namespaces[0] ?? "", Object.fromEntries(forwards)),
    });
    await project.ok("up", "--wait");
    ports = await localPorts();
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  async function localPorts(): Promise<readonly (number | null)[]> {
    const { entries } = await project.status();
    return entries.map(({ localPort }) => localPort);
  }

  /** Milliseconds until every forward is ready, from now. */
  async function allReady(patienceMs: number): Promise<number> {
    const startedMs = performance.now();
    for (;;) {
      const { entries } = await project.status();
      const waiting = entries.filter(({ state }) => state !== "ready");
      const tookMs = performance.now() - startedMs;
      if (waiting.length === 0) return tookMs;
      if (tookMs > patienceMs) throw new Error(`after ${tookMs} ms: ${JSON.stringify(waiting[0])}`);
    }
  }

  async function noneReady(): Promise<void> {
    for (let i = 0; i < FORWARDS; i++) await project.until(`f${i}`, ({ state }) => state === "waiting");
  }

  /** Lists and watches, and upgrades, since the log was cleared. */
  function asked(): { readonly rest: number; readonly upgrades: number } {
    const { all } = world.sandbox.requests;
    const upgrades = all.filter(({ subresource }) => subresource === "portforward").length;
    return { rest: all.length - upgrades, upgrades };
  }

  const elapse = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  test("a restart: listeners stay, all come back within seconds, and nothing is asked for twice", async () => {
    const { sandbox } = world;
    proxy.close();
    await noneReady();
    await elapse(OUTAGE_MS);
    const held = httpGet(ports[0] ?? 0);
    sandbox.requests.clear();
    await proxy.open();
    expect(await allReady(RETURN_MS + BUSY_MS)).toBeLessThan(RETURN_MS + BUSY_MS);
    expect(await held).toMatch(/^hello from a-/);
    await sandbox.until(() => sandbox.open.watches === 4);
    expect(await localPorts()).toEqual(ports);
    expect(sandbox.requests.count({ verb: "list" })).toBe(0); // watches go on where they were
    expect(asked().rest).toBe(4);
    expect(asked().upgrades).toBeLessThanOrEqual(2 * FORWARDS);
  });

  test("a freeze shorter than it takes to call a connection dead harms nobody", async () => {
    const echo = await dial(ports[8] ?? 0);
    await expectEcho(echo);
    world.sandbox.requests.clear();
    proxy.freeze();
    await elapse(OUTAGE_MS);
    proxy.thaw();
    await within(expectEcho(echo));
    echo.destroy();
    expect(await allReady(0)).toBeGreaterThan(0);
    expect(asked().rest).toBe(0);
  });

  test("a longer one: clients are reset, and all come back within seconds of its end", async () => {
    const { sandbox } = world;
    const echo = await dial(ports[8] ?? 0);
    await expectEcho(echo);
    const ended = new Promise<string>((resolve) => echo.on("error", ({ message }) => resolve(message)));
    proxy.freeze();
    expect(await ended).toMatch(/ECONNRESET/);
    const { reason } = await project.until("f8", ({ state }) => state === "waiting");
    expect(reason?.kind).toBe("unreachable");
    sandbox.requests.clear();
    proxy.thaw();
    expect(await allReady(RETURN_MS + BUSY_MS)).toBeLessThan(RETURN_MS + BUSY_MS);
    expect(await localPorts()).toEqual(ports);
    await sandbox.until(() => sandbox.open.watches === 4);
    expect(asked().rest).toBeLessThanOrEqual(12);
  });

  test.each([
    { name: "503 to everything", fault: { status: 503 }, most: 14 },
    { name: "429 and a wish to be left alone", fault: { status: 429, retryAfterS: 3 }, most: 10 },
  ])("$name: asked seldom, forwards stay ready, and watches come back", async ({ fault, most }) => {
    const { sandbox } = world;
    sandbox.requests.clear();
    sandbox.faults.answers = fault;
    sandbox.dropWatches("reset");
    await elapse(OUTAGE_MS);
    expect(asked().rest).toBeLessThanOrEqual(most);
    expect(await allReady(0)).toBeGreaterThan(0); // they need no list
    sandbox.faults.clear();
    await sandbox.until(() => sandbox.open.watches === 4, RETURN_MS + BUSY_MS);
  });

  test("another certificate: told and not taken; trusted again, all come back", async () => {
    const { sandbox } = world;
    sandbox.setCertificates(await makeCertificates());
    proxy.close();
    await proxy.open();
    const { reason } = await project.until("f0", ({ reason: why }) => /certificate/.test(why?.message ?? ""));
    expect(reason).toMatchObject({ code: "Unreachable", kind: "unreachable" });
    expect(sandbox.open.upgrades).toBe(0);
    const port = new URL(sandbox.url).port;
    await writeFile(kubeconfig, sandbox.kubeconfig().replace(`:${port}`, `:${proxy.port}`));
    expect(await allReady(RETURN_MS + BUSY_MS)).toBeLessThan(RETURN_MS + BUSY_MS);
    expect(await localPorts()).toEqual(ports);
  });

  test("at rest: nothing is asked within ten seconds", async () => {
    for (let tries = 1; ; tries++) {
      await allReady(RETURN_MS + BUSY_MS);
      await world.sandbox.until(() => world.sandbox.open.watches === 4);
      world.sandbox.requests.clear();
      await elapse(10_000);
      const asked = world.sandbox.requests.all;
      // Tests beside this one change the machine's networks, and a machine may be paused: reasons to ask.
      if (asked.length > 0 && (await rousedAgoMs()) < 20_000 && tries < TRIES_MAX) continue;
      expect(asked, (await project.run("logs", "--since", "30s")).stdout).toEqual([]);
      return;
    }
  });

  /** How long ago the supervisor met another network, or a sleep. */
  async function rousedAgoMs(): Promise<number> {
    const { supervisor } = await project.status();
    const lines = (await readFile(supervisor.log, "utf8")).split("\n");
    const last = lines.findLast((line) => /"event":"(?:network changed|woke)"/.test(line));
    const { time } = JSON.parse(last ?? '{"time":0}') as { time: string | number };
    return Date.now() - new Date(time).getTime();
  }
});
