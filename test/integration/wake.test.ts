import { expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { dial, expectEcho, httpGet } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { realClock } from "../../src/runtime/clock.ts";

const ROUNDS = 3;

/** Longer than what counts as a busy machine. */
const SLEEP_MS = 6_500;

/** A client that has met a dead connection comes again after this. */
const TRY_MS = 250;

/** The promise, and what a busy machine may add to it. */
const BACK_MS = 5_000 + 2_000;

const never = new AbortController().signal;

test("a sleep in which all connections died: clients are served soon after it; one that lived goes on", async () => {
  await using world = await SandboxWorld.start();
  const namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
  const { kubeconfig, proxy } = await world.behindProxy();
  const forwards = {
    web: { target: "svc/app", port: "http", local: "auto" },
    live: { target: "deploy/app", port: 7000, local: "auto", kubeconfig: world.kubeconfig("admin") },
  };
  await using project = await Project.create({ kubeconfig, file: fileOf(namespace, forwards) });
  await project.ok("up", "--wait");
  const { supervisorPid } = project;
  const web = await project.port("web");
  const live = await dial(await project.port("live"));
  await expectEcho(live);

  const tookMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    process.kill(supervisorPid, "SIGSTOP");
    proxy.forget();
    await realClock.sleep(SLEEP_MS, never);
    const wokeMs = performance.now();
    process.kill(supervisorPid, "SIGCONT");
    while (!(await isServed(web))) expect(performance.now() - wokeMs).toBeLessThan(BACK_MS);
    tookMs.push(Math.round(performance.now() - wokeMs));
    await project.until("web", ({ state }) => state === "ready");
  }
  await expectEcho(live);
  live.destroy();
  const sorted = tookMs.toSorted((a, b) => a - b);
  console.log(`wake: served after ${sorted.join(", ")} ms; p50 ${sorted[Math.floor(ROUNDS / 2)]} ms`);
  expect(Math.max(...tookMs)).toBeLessThan(BACK_MS);
  const { entries } = await project.status();
  expect(entries.map(({ name, state }) => [name, state])).toEqual([
    ["web", "ready"],
    ["live", "ready"],
  ]);
});

/** Whoever is not answered soon is left to itself: kfwd resets it once it knows that its connection is dead. */
async function isServed(port: number): Promise<boolean> {
  const asked = httpGet(port).then(
    (text) => text.startsWith("hello from app-"),
    () => false,
  );
  return Promise.race([asked, realClock.sleep(TRY_MS, never).then(() => false)]);
}
