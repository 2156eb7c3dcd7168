import { describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, portsOf } from "../behaviour/stage.ts";
import { talk, talksOf, wholeOf, type Talk } from "../rig/pieces.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";

const MIB = 1024 * 1024;

/** What lets the way through, and no better one. */
const WAYS = [
  ["SPDY", "SPDY/3.1", {}],
  ["the tunnel", "SPDY/3.1+portforward.k8s.io", { proxyPasses: "websocket" }],
  ["v4.channel", "v4.channel.k8s.io", { proxyPasses: "websocket", tunnelGate: "off" }],
] as const;

/** The way of the last upgrade that was asked for. */
function lastWay({ requests }: Sandbox): string | undefined {
  const last = requests.all.findLast(({ subresource }) => subresource === "portforward");
  return last?.subprotocols ?? last?.upgrade;
}

describe.concurrent("every byte arrives, once and in order, in both directions at once", () => {
  test.each(WAYS)("over %s", async (_name, protocol, faults) => {
    await using world = await SandboxWorld.start();
    Object.assign(world.sandbox.faults, faults);
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await using project = await bringUp(world, namespace, {
      talk: { target: "svc/app", port: 7010, local: "auto" },
    });
    const port = (await portsOf(project))("talk");

    const two = [
      { seed: 1, up: 10 * MIB, down: 10 * MIB, restMs: 1_500 }, // more than the kernel holds meanwhile
      { seed: 11, up: 4 * MIB - 1, down: 64 * 1024 + 1 },
    ];
    const fifty = talksOf(1_000, 50);
    for (const talks of [two, fifty]) {
      const heard = await Promise.all(talks.map((each: Talk) => talk(port, each)));
      expect(heard).toEqual(talks.map(wholeOf));
    }
    expect(lastWay(world.sandbox)).toBe(protocol);
    const { traffic } = await project.forward("talk");
    expect(traffic.refused).toBe(0);
  });
});
