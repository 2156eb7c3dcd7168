import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ask, closing, dial, exchange, expectEcho, httpGet, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { bringUp, portsOf, projectOf } from "./stage.ts";
import { APP_SERVICE_PORTS, type AppSpec, type PodFacts, type World } from "./world.ts";

/** An app a test, so that none sees what another does. */
const APPS: Readonly<Record<string, AppSpec>> = {
  uploaded: {},
  idle: {},
  drained: { replicas: 2, lingerMs: 6_000 },
  killed: {},
  scaled: {},
  flapping: {},
  late: {},
  chosen: { replicas: 3 },
  left: {},
  right: {},
  moved: {},
  remade: {},
  rolled: { replicas: 3, lingerMs: 1_500 },
  restarted: {},
};

/** A client's wait for a ready pod may take this long before it is reset. */
const HOLD_MS = 10_000;

/** For what a cluster takes its time for: a pod that starts. */
const PATIENCE = { timeout: 60_000, interval: 100 };

/** What becomes of forwards and their clients when pods and Services come, go and change. */
export function describePods(world: () => World): void {
  describe("pods", () => {
    let namespace: string;
    let project: Project;
    let port: (name: string) => number;

    beforeAll(async () => {
      namespace = await world().newNamespace();
      const deployed = Object.entries(APPS).map(([name, app]) => world().deploy(namespace, name, app));
      await Promise.all([...deployed, world().createPod(namespace, "bare")]);
      await world().createService(namespace, "front", { selects: "left" });
      const web = (name: string) => ({ target: `svc/${name}`, port: "http", local: "auto" });
      const echo = (name: string) => ({ target: `svc/${name}`, port: 7000, local: "auto" });
      project = await bringUp(world(), namespace, {
        ...Object.fromEntries(Object.keys(APPS).map((name) => [name, web(name)])),
        upload: { target: "svc/uploaded", port: 7006, local: "auto" },
        "drained-echo": echo("drained"),
        "killed-echo": echo("killed"),
        "flapping-echo": echo("flapping"),
        "restarted-echo": echo("restarted"),
        "late-echo": { target: "svc/late", port: 7009, local: "auto" },
        "late-clock": { target: "svc/late", port: 7002, local: "auto" },
        bare: { target: "pod/bare", port: "http", local: "auto" },
        front: echo("front"),
        "front-web": web("front"),
      });
      port = await portsOf(project);
    });

    afterAll(async () => {
      await project[Symbol.asyncDispose]();
    });

    /** The only pod of an app, or the first. */
    async function podOf(app: string): Promise<PodFacts> {
      const [pod] = await world().podsOf(namespace, app);
      if (!pod) throw new Error(`no pod of ${app}`);
      return pod;
    }

    /** Resolves when the forward is ready with another pod. */
    async function untilAnother(name: string, than: PodFacts): Promise<void> {
      await project.until(name, ({ state, pod }) => state === "ready" && pod !== than.name, PATIENCE.timeout);
    }

    async function untilWaiting(name: string): Promise<{ code: string; message: string }> {
      const { reason } = await project.until(name, ({ state }) => state === "waiting", PATIENCE.timeout);
      return { code: reason?.code ?? "", message: reason?.message ?? "" };
    }

    /** A client that came while nothing was ready, and that kfwd holds. */
    async function heldClient(name: string): Promise<{ readonly answer: Promise<string> }> {
      const answer = httpGet(port(name));
      answer.catch(() => {}); // whoever waits for it hears of it
      await project.until(name, ({ traffic }) => traffic.held === 1);
      return { answer };
    }

    describe.concurrent("each with an app of its own", () => {
      test("a pod deleted during an upload: the client hears of it, the next is served by another pod", async () => {
        const pod = await podOf("uploaded");
        const socket = await dial(port("upload"));
        const ended = closing(socket);
        const upload = randomBytes(64 * 1024);
        const send = (): void => {
          while (!socket.destroyed && socket.write(upload));
        };
        socket.on("drain", send);
        send();
        await project.until("upload", ({ traffic }) => traffic.bytesOut > 0);
        await world().deletePod(namespace, pod.name);
        await within(ended);
        await untilAnother("upload", pod);
        expect(await httpGet(port("uploaded"))).not.toContain(pod.name);
      });

      test("a pod deleted while nobody is connected: the next client is served by another pod, on the same port", async () => {
        const pod = await podOf("idle");
        expect(await httpGet(port("idle"))).toBe(`hello from ${pod.name}\n`);
        await world().deletePod(namespace, pod.name);
        await vi.waitFor(async () => {
          const pods = await world().podsOf(namespace, "idle");
          expect(pods.find(({ uid }) => uid === pod.uid)).toBeUndefined();
        }, PATIENCE);
        await untilAnother("idle", pod);
        const answer = await httpGet(port("idle"));
        expect(answer).toMatch(/^hello from idle-/);
        expect(answer).not.toContain(pod.name);
        const status = await project.forward("idle");
        expect(status.localPort).toBe(port("idle"));
        expect(status.restarts).toBe(1);
      });

      test("a pod that ends with grace: new clients go elsewhere at once, old ones stay until it closes them", async () => {
        const { pod: name } = await project.forward("drained");
        const pods = await world().podsOf(namespace, "drained");
        const pod = pods.find((one) => one.name === name);
        if (!pod) throw new Error(`${name} is not there`);
        const old = await dial(port("drained-echo"));
        await expectEcho(old);
        const ended = closing(old);

        await world().deletePod(namespace, pod.name);
        await untilAnother("drained", pod);
        expect(await httpGet(port("drained"))).not.toContain(pod.name);
        await expectEcho(old);
        await within(ended, 30_000);
      });

      test("a pod deleted without grace: its clients are let go soon, the next is served by another pod", async () => {
        const pod = await podOf("killed");
        const socket = await dial(port("killed-echo"));
        await expectEcho(socket);
        const ended = closing(socket);
        await world().deletePod(namespace, pod.name, { force: true });
        expect(await httpGetPatiently("killed")).not.toContain(pod.name);
        await within(ended, 10_000);
      });

      /** The first answer; clients before it may be reset when the pod is gone before the API server says so. */
      async function httpGetPatiently(name: string): Promise<string> {
        return vi.waitFor(() => httpGet(port(name)), PATIENCE);
      }

      test("a pod that nobody replaces: clients are held, then reset; one of the same name is used again", async () => {
        await world().deletePod(namespace, "bare");
        await vi.waitFor(async () => expect(await world().podsOf(namespace, "bare")).toEqual([]), PATIENCE);
        await project.until("bare", ({ reason }) => reason?.code === "PodMissing");
        const status = await project.forward("bare");
        expect(status.reason?.message).toContain(`pod "bare" not found in namespace "${namespace}"`);
        expect(status.localPort).toBe(port("bare"));

        const startedMs = performance.now();
        expect(await exchange(port("bare"), "anyone?\n")).toEqual({
          end: "reset",
          received: Buffer.alloc(0),
        });
        expect(performance.now() - startedMs).toBeGreaterThan(HOLD_MS - 100);
        expect((await project.forward("bare")).lastError?.message).toBe("no pod was ready within 10 s");

        const held = await heldClient("bare");
        await world().createPod(namespace, "bare");
        expect(await held.answer).toBe("hello from bare\n");
        expect((await project.forward("bare")).state).toBe("ready");
      });

      test("scaled to 0: status says so and clients are held; scaled up again they are served", async () => {
        await world().scale(namespace, "scaled", 0);
        await vi.waitFor(async () => expect(await world().podsOf(namespace, "scaled")).toEqual([]), PATIENCE);
        const { reason } = await project.until("scaled", (one) => one.reason?.code === "NoPods");
        expect(reason?.message).toBe(`service "scaled" has no pods: none has the labels app=scaled`);
        const held = await heldClient("scaled");
        await world().scale(namespace, "scaled", 1);
        expect(await held.answer).toMatch(/^hello from scaled-/);
        const status = await project.forward("scaled");
        expect(status).toMatchObject({ state: "ready", localPort: port("scaled"), reason: null });
      });

      test("a pod that is not ready for a while: clients stay, new ones are held until it is", async () => {
        const pod = await podOf("flapping");
        const old = await dial(port("flapping-echo"));
        await expectEcho(old);
        await world().setReady(namespace, pod.name, false);
        expect(await untilWaiting("flapping")).toEqual({
          code: "NoReadyPods",
          message: `0 of 1 pod ready: ${pod.name} not ready`,
        });
        await expectEcho(old);
        const held = await heldClient("flapping");
        await world().setReady(namespace, pod.name, true);
        expect(await held.answer).toBe(`hello from ${pod.name}\n`);
        await expectEcho(old);
        old.destroy();
      });

      test("a pod that is ready before it listens: who comes meanwhile is held until it does", async () => {
        const pod = await podOf("late");
        await world().setReady(namespace, pod.name, false);
        await untilWaiting("late");
        await world().setListening(namespace, pod.name, 7009, false);
        await world().setReady(namespace, pod.name, true);
        await project.until("late-echo", ({ state }) => state === "ready");
        const answer = ask(port("late-echo"), "there yet?\n");
        answer.catch(() => {}); // awaited below
        await ask(port("late-clock"), "tell me when 2.5 s have passed\n");
        await world().setListening(namespace, pod.name, 7009, true);
        expect(await answer).toBe("there yet?\n");
      });

      test("of several pods one is used as long as it is there", async () => {
        const used = await httpGet(port("chosen"));
        const answers = await Promise.all(Array.from({ length: 20 }, () => httpGet(port("chosen"))));
        expect(new Set(answers)).toEqual(new Set([used]));

        const pods = await world().podsOf(namespace, "chosen");
        const spare = pods.find(({ name }) => !used.includes(name));
        await world().deletePod(namespace, spare?.name ?? "");
        await vi.waitFor(async () => {
          const now = await world().podsOf(namespace, "chosen");
          expect(now.filter(({ ready, deleting }) => ready && !deleting)).toHaveLength(3);
          expect(now.map(({ name }) => name)).not.toContain(spare?.name);
        }, PATIENCE);
        expect(await httpGet(port("chosen"))).toBe(used);
        expect((await project.forward("chosen")).restarts).toBe(0);
      });

      test("a Service whose selector changes leads new clients to the new pods and keeps the old ones", async () => {
        const old = await dial(port("front"));
        await expectEcho(old);
        expect(await httpGet(port("front-web"))).toMatch(/^hello from left-/);
        await world().updateService(namespace, "front", { selects: "right" });
        await project.until(
          "front-web",
          ({ state, pod }) => state === "ready" && pod?.startsWith("right-") === true,
        );
        expect(await httpGet(port("front-web"))).toMatch(/^hello from right-/);
        await expectEcho(old);
        old.destroy();
      });

      test("a Service whose ports change leads new clients to the new port; a name that is gone is told", async () => {
        const [, ...others] = APP_SERVICE_PORTS;
        const set = (name: string, targetPort: number | string): Promise<void> =>
          world().updateService(namespace, "moved", { ports: [{ name, port: 80, targetPort }, ...others] });
        expect(await httpGet(port("moved"))).toMatch(/^hello/);

        await set("http", 7001);
        await project.until("moved", ({ state, podPort }) => state === "ready" && podPort === 7001);
        expect(await ask(port("moved"), "")).toMatch(/^220 moved-\S+ ready\n$/);

        await set("https", 7001);
        const { code, message } = await untilWaiting("moved");
        expect(code).toBe("PortMissing");
        expect(message).toMatch(/^service "moved" has no port "http"; ports: https 80→7001, p7000 7000/);

        const held = await heldClient("moved");
        await set("http", "http");
        expect(await held.answer).toMatch(/^hello/);
      });

      test("a Service deleted and made again: status says it is missing, held clients are served", async () => {
        await world().deleteService(namespace, "remade");
        const { code, message } = await untilWaiting("remade");
        expect(code).toBe("ServiceMissing");
        expect(message).toContain(`service "remade" not found in namespace "${namespace}"`);
        const held = await heldClient("remade");
        await world().createService(namespace, "remade", {});
        expect(await held.answer).toMatch(/^hello from remade-/);
      });

      test("a rolling update under load: no client fails", async () => {
        const old = new Set((await world().podsOf(namespace, "rolled")).map(({ name }) => name));
        const rolling = { kind: "under way" as "under way" | "over" };
        const answers = new Map<string, number>();
        let longestMs = 0;
        const load = async (): Promise<void> => {
          while (rolling.kind === "under way") {
            const startedMs = performance.now();
            const answer = await httpGet(port("rolled"));
            longestMs = Math.max(longestMs, performance.now() - startedMs);
            answers.set(answer, (answers.get(answer) ?? 0) + 1);
          }
        };
        const rollout = world()
          .rollout(namespace, "rolled", APPS["rolled"] ?? {})
          .finally(() => (rolling.kind = "over"));
        await Promise.all([rollout, load(), load(), load()]);
        const count = [...answers.values()].reduce((sum, one) => sum + one, 0);
        console.log(
          `rolling update: ${count} requests to ${answers.size} pods, the longest ${Math.round(longestMs)} ms`,
        );

        await project.until("rolled", ({ state, pod }) => state === "ready" && pod !== null && !old.has(pod));
        expect(old).not.toContain((await httpGet(port("rolled"))).slice("hello from ".length, -1));
      });

      test("a container that restarts in its pod: its clients are let go, the next is served by the same pod", async () => {
        const pod = await podOf("restarted");
        const socket = await dial(port("restarted-echo"));
        await expectEcho(socket);
        const ended = closing(socket);
        await world().restartContainer(namespace, pod.name);
        await within(ended);
        expect(await httpGetPatiently("restarted")).toBe(`hello from ${pod.name}\n`);
      });

      test("a container that crashes over and over is named with its trouble", async () => {
        await world().deploy(namespace, "crashing", { crashing: true });
        await using crashing = await projectOf(world(), namespace, {
          crashing: { target: "deploy/crashing", port: 8080, local: "auto" },
        });
        await crashing.ok("up", "-d");
        const { reason } = await crashing.until(
          "crashing",
          (one) => one.reason?.message.includes("CrashLoopBackOff") === true,
          PATIENCE.timeout,
        );
        expect(reason?.message).toMatch(/^0 of 1 pod ready: crashing-\S+ CrashLoopBackOff/);
        expect(reason?.hint).toMatch(/^kubectl .*logs crashing-\S+ --previous$/);
      });
    });

    test("no forward has moved its local port or given up", async () => {
      const { entries } = await project.status();
      for (const { name, localPort, state } of entries) {
        expect({ name, localPort, state }).toEqual({ name, localPort: port(name), state: "ready" });
      }
    });
  });
}
