import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp } from "../behaviour/stage.ts";
import { describeStreams } from "../behaviour/streams.ts";
import { ask } from "../rig/client.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
  world.sandbox.faults.proxyPasses = "websocket";
  world.sandbox.faults.tunnelGate = "off";
});
afterAll(() => world[Symbol.asyncDispose]());

describeStreams(() => world);

test("an API server that goes away is noticed although no stream is open, and all comes back by itself", async () => {
  const namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
  await using project = await bringUp(world, namespace, {
    echo: { target: "svc/app", port: 7000, local: "auto" },
  });
  world.sandbox.stopApi();
  const { reason } = await project.until("echo", ({ state }) => state === "waiting");
  expect(reason).toMatchObject({ code: "Unreachable", kind: "unreachable" });
  await world.sandbox.startApi();
  await project.until("echo", ({ state }) => state === "ready");
  expect(await ask(await project.port("echo"))).toBe("ping\n");
});

test("all of that went through v4.channel.k8s.io; the other ways were asked for only before that was known", () => {
  const { requests } = world.sandbox;
  expect(requests.count({ subprotocols: "v4.channel.k8s.io" })).toBeGreaterThan(100);
  expect(requests.count({ upgrade: "SPDY/3.1" })).toBeLessThan(10);
  expect(requests.count({ subprotocols: "SPDY/3.1+portforward.k8s.io" })).toBeLessThan(10);
});
