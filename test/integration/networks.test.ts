import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { API_NAME, Island, lackOfIslands } from "../rig/island.ts";
import { Project } from "../rig/project.ts";
import { realClock } from "../../src/runtime/clock.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

/** What is missing for these tests on this machine; empty: nothing. */
const LACK = lackOfIslands();

/** The promise, and what a busy machine may add to it. */
const BACK_MS = 5_000 + 2_000;

const FORWARDS = {
  web: { target: "svc/app", port: "http", local: "auto" },
  echo: { target: "deploy/app", port: 7000, local: "auto" },
};

/** A line of the supervisor's log. */
interface Line {
  readonly atMs: number;
  readonly event: string;
  readonly reason: string | undefined;
  readonly error: string | undefined;
}

const never = new AbortController().signal;

describe.concurrent(`networks that come and go${LACK}`, () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    if (LACK) return;
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** A project on an island of its own. */
  async function land(): Promise<{ island: Island; project: Project } & AsyncDisposable> {
    const server = new URL(world.sandbox.url);
    const island = await Island.create({ host: server.hostname, port: Number(server.port) });
    const project = await Project.create({ file: fileOf(namespace, FORWARDS) });
    const config = JSON.parse(world.sandbox.kubeconfig("admin")) as { clusters: { cluster: object }[] };
    for (const one of config.clusters) {
      Object.assign(one.cluster, {
        server: `https://${API_NAME}:${island.port}`,
        "tls-server-name": "localhost",
      });
    }
    const kubeconfig = join(project.root, "kubeconfig");
    await writeFile(kubeconfig, JSON.stringify(config));
    project.env["KUBECONFIG"] = kubeconfig;
    return {
      island,
      project,
      [Symbol.asyncDispose]: async () => {
        await island.run(project, "down", "--force");
        await project[Symbol.asyncDispose]();
        await island[Symbol.asyncDispose]();
      },
    };
  }

  test.skipIf(LACK)(
    "a cable that is pulled for 20 s: little is said and tried, all is back within 5 s",
    async () => {
      await using place = await land();
      const { island, project } = place;
      const up = await island.run(project, "up", "--wait");
      expect(up.stderr).toContain("kfwd: ready 2/2");
      expect(up.status).toBe(0);

      island.link("down");
      await until(project, (lines) => lines.some(({ event }) => event === "unreachable"));
      await realClock.sleep(20_000, never);
      const during = logOf(project);
      const dialsBefore = island.dials;
      const questionsBefore = island.questions;
      const upMs = Date.now();
      island.link("up");
      const back = await until(project, (lines) => readySince(lines, upMs) !== undefined);
      const tookMs = (readySince(back, upMs) ?? Number.NaN) - upMs;
      const said = during.filter(({ event }) => event === "unreachable");
      console.log(
        `cable: back after ${tookMs} ms; ${during.length} lines in all, reasons: ${said.map(({ reason }) => reason).join(" | ")}; ` +
          `${island.dials - dialsBefore} dials and ${island.questions - questionsBefore} questions for the return`,
      );
      expect(tookMs).toBeLessThan(BACK_MS);
      expect(said.length).toBeLessThanOrEqual(3);
      // Pods, Services and Deployments, each lost once, and once more when it could not be had again; a reason may change.
      expect(during.filter(({ event }) => event === "watch lost").length).toBeLessThanOrEqual(9);
      expect(new Set(said.map(({ reason }) => reason)).size).toBe(said.length);
    },
  );

  test.skipIf(LACK)(
    "a name server that knows nothing, then answers, then says nothing any more",
    async () => {
      await using place = await land();
      const { island, project } = place;
      island.nameServer = "knowsNothing";
      const up = await island.run(project, "up", "--wait", "--wait-timeout", "1s");
      expect(up.status).toBe(4);
      const unknown = `no address is known for "${API_NAME}"`;
      expect(logOf(project).find(({ event }) => event === "unreachable")?.reason).toContain(unknown);

      island.nameServer = "answers";
      const answersMs = Date.now();
      const back = await until(project, (lines) => readySince(lines, answersMs) !== undefined);
      const tookMs = (readySince(back, answersMs) ?? Number.NaN) - answersMs;
      expect(tookMs).toBeLessThan(BACK_MS);

      island.nameServer = "isSilent";
      const cutMs = Date.now();
      island.cut();
      const again = await until(project, (lines) => readySince(lines, cutMs) !== undefined);
      const againMs = (readySince(again, cutMs) ?? Number.NaN) - cutMs;
      console.log(
        `names: back ${tookMs} ms after they are told; without them, by the last address, ${againMs} ms after a cut`,
      );
      expect(againMs).toBeLessThan(BACK_MS);
    },
  );

  test.skipIf(LACK)("one more address is noticed and told once; what stands stays", async () => {
    await using place = await land();
    const { island, project } = place;
    expect((await island.run(project, "up", "--wait")).status).toBe(0);
    island.addressInside("add", "10.99.0.7/32");
    const lines = await until(project, (all) => all.some(({ event }) => event === "network changed"));
    expect(lines.filter(({ event }) => event === "waiting" || event === "unreachable")).toEqual([]);
    const { stdout } = await island.run(project, "status", "--json");
    const report = JSON.parse(stdout) as { entries: { state: string; restarts: number }[] };
    expect(report.entries.map(({ state, restarts }) => [state, restarts])).toEqual([
      ["ready", 0],
      ["ready", 0],
    ]);
  });
});

describe("a login page in place of the API server", () => {
  test("its certificate is told once, and all comes back when it is gone", async () => {
    await using world = await SandboxWorld.start();
    await using portal = await Sandbox.start(); // of another authority
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    const { kubeconfig, proxy } = await world.behindProxy();
    await using project = await Project.create({ kubeconfig, file: fileOf(namespace, FORWARDS) });
    await project.ok("up", "--wait");

    const { hostname, port } = new URL(portal.url);
    const back = proxy.lead({ host: hostname, port: Number(port) });
    const { reason } = await project.until("web", ({ state }) => state === "waiting");
    expect(reason?.message).toMatch(
      /: its certificate is signed by an authority that the kubeconfig does not trust$/,
    );
    await realClock.sleep(3_000, never);
    expect(logOf(project).filter(({ event }) => event === "unreachable")).toHaveLength(1);
    back();
    const gone = Date.now();
    await project.until("web", ({ state }) => state === "ready", 20_000);
    console.log(`login page: back ${Date.now() - gone} ms after it is gone`);
  });
});

/** When every forward was ready again after this moment, on the wall clock. */
function readySince(lines: readonly Line[], fromMs: number): number | undefined {
  const ready = lines.filter(({ event, atMs }) => event === "ready" && atMs >= fromMs);
  return ready.length >= Object.keys(FORWARDS).length ? ready.at(-1)?.atMs : undefined;
}

function logOf(project: Project): readonly Line[] {
  const folder = join(project.env["XDG_STATE_HOME"] ?? "", "kfwd");
  const [path] = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("kfwd.log"))
    : [];
  if (path === undefined) return [];
  const whole = readFileSync(join(folder, path), "utf8").split("\n").slice(0, -1);
  return whole.map((text) => {
    const { time, event, reason, error } = JSON.parse(text) as Readonly<Record<string, string | undefined>>;
    return { atMs: Date.parse(time ?? ""), event: event ?? "", reason, error };
  });
}

async function until(project: Project, met: (lines: readonly Line[]) => boolean): Promise<readonly Line[]> {
  const untilMs = performance.now() + 30_000;
  for (;;) {
    const lines = logOf(project);
    if (met(lines)) return lines;
    const crash = lines.find(({ event }) => event === "crashed");
    if (crash) throw new Error(`it crashed: ${crash.error}`);
    if (performance.now() > untilMs) {
      throw new Error(
        `not in the log: ${lines
          .slice(-20)
          .map((line) => JSON.stringify(line))
          .join("\n")}`,
      );
    }
    await realClock.sleep(50, never);
  }
}
