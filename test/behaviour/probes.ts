import { beforeAll, describe, expect, test } from "vitest";
import { realClock } from "../../src/runtime/clock.ts";
import { connectControl } from "../../src/runtime/daemon/controlclient.ts";
import { readLock } from "../../src/runtime/daemon/readlock.ts";
import type { ForwardSpec } from "../../src/schema/spec.ts";
import { VERSION } from "../../src/version.ts";
import { exchange, httpGet } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { bringUp } from "./stage.ts";
import type { World } from "./world.ts";

/** For what a cluster takes its time for. */
const PATIENCE_MS = 60_000;

const PROBE = {
  path: "/healthz",
  status: [200, 399],
  intervalMs: 300,
  timeoutMs: 2_000,
  failures: 2,
} as const;

/** What becomes of forwards whose application is probed, and of those that hold nobody. */
export function describeProbes(world: () => World): void {
  describe.concurrent("by what the forward says of it", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      const apps = ["http", "tcp", "refusing", "none"];
      await Promise.all(apps.map((name) => world().deploy(namespace, name)));
    });

    /** A forward `app` to a port of the app, as the spec says. */
    async function running(app: string, port: number, change: Partial<ForwardSpec>): Promise<Project> {
      const project = await bringUp(world(), namespace, {
        app: { target: `svc/${app}`, port, local: "auto" },
      });
      const spec: ForwardSpec = {
        name: "app",
        target: { kind: "svc", name: app },
        remotePort: { via: "service", port },
        protocol: "tcp",
        local: await project.port("app"),
        bind: ["localhost"],
        namespace,
        required: true,
        source: { file: "forwards.yaml", line: 1, column: 1 },
        ...change,
      };
      const reading = readLock(project.lockPath, process.geteuid?.());
      if (reading.kind !== "value") throw new Error(`the lock is ${reading.kind}`);
      const signal = new AbortController().signal;
      const deps = { clock: realClock, version: VERSION };
      await using client = await connectControl(deps, reading.value, { timeoutMs: 2_000, signal });
      const config = { path: null, sha256: "" };
      await client.apply({ project: "shop", config, forwards: [spec], names: null });
      return project;
    }

    async function podOf(app: string): Promise<string> {
      const [pod] = await world().podsOf(namespace, app);
      return pod?.name ?? "";
    }

    test("an application that refuses its http probe is waited for, and clients are held meanwhile", async () => {
      await using project = await running("http", 80, { probe: { type: "http", ...PROBE } });
      const pod = await podOf("http");
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
      await world().setListening(namespace, pod, 8080, false);
      const { reason, pod: stays } = await project.until(
        "app",
        (one) => one.reason?.code === "ProbeFailed",
        PATIENCE_MS,
      );
      expect(reason?.message).toContain(`GET /healthz: pod "${pod}" refused port 8080`);
      expect(stays).toBe(pod);
      const answer = httpGet(await project.port("app"));
      answer.catch(() => {}); // whoever waits for it hears of it
      await project.until("app", ({ traffic }) => traffic.held === 1);
      await world().setListening(namespace, pod, 8080, true);
      expect(await answer).toBe(`hello from ${pod}\n`);
      const after = await project.until("app", ({ state }) => state === "ready");
      expect(after).toMatchObject({ reason: null, traffic: { waited: 1, refused: 0 } });
    });

    test("an application that refuses its tcp probe is not ready, and is again when it listens", async () => {
      await using project = await running("tcp", 7009, { probe: { type: "tcp", ...PROBE } });
      const pod = await podOf("tcp");
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
      await world().setListening(namespace, pod, 7009, false);
      const { reason } = await project.until("app", ({ state }) => state === "waiting", PATIENCE_MS);
      expect(reason).toMatchObject({
        code: "ProbeFailed",
        message: expect.stringContaining("refused port 7009") as string,
      });
      await world().setListening(namespace, pod, 7009, true);
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
    });

    test("where nobody is to wait, clients are reset at once while nothing is ready", async () => {
      await using project = await running("refusing", 80, { whenUnavailable: "refuse" });
      const pod = await podOf("refusing");
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
      const port = await project.port("app");
      expect(await httpGet(port)).toBe(`hello from ${pod}\n`);
      await world().setReady(namespace, pod, false);
      await project.until("app", ({ state }) => state === "waiting", PATIENCE_MS);
      expect(await exchange(port, "anyone?\n", { patienceMs: 3_000 })).toMatchObject({ end: "reset" });
      const { traffic, lastError } = await project.forward("app");
      expect(traffic).toMatchObject({ held: 0, waited: 0, refused: 1 });
      expect(lastError?.message).toBe("no pod was ready");
      await world().setReady(namespace, pod, true);
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
      expect(await httpGet(port)).toBe(`hello from ${pod}\n`);
    });

    test("without any probe it serves as soon as there is a ready pod", async () => {
      await using project = await running("none", 80, { probe: { type: "none", ...PROBE } });
      await project.until("app", ({ state }) => state === "ready", PATIENCE_MS);
      expect(await httpGet(await project.port("app"))).toBe(`hello from ${await podOf("none")}\n`);
    });
  });
}
