import { expect, test } from "vitest";
import { UdpAsker } from "../rig/udpclient.ts";
import { bringUp, fileOf, portsOf, type Forwards } from "./stage.ts";
import type { World } from "./world.ts";

const PORTS = [{ name: "u7000", port: 7000, targetPort: 7000, protocol: "UDP" as const }];

/** What the file says of the pods of the relay, and when they are made anew. */
export function describeRelayPods(world: () => World): void {
  test("pods of their own, patched, as long-lived as the file says; a changed forward keeps its pod", async () => {
    const namespace = await world().newNamespace();
    await world().deploy(namespace, "app");
    await world().createService(namespace, "udp", { selects: "app", ports: PORTS });
    const udp = { target: "svc/udp", port: 7000, protocol: "udp", local: "auto" };
    const own = {
      image: world().relayImage,
      share: "entry",
      ttl: "10m",
      idle: "1m",
      patch: {
        metadata: { annotations: { note: "patched" } },
        spec: {
          securityContext: { runAsGroup: null },
          containers: [{ name: "relay", env: [{ name: "TZ", value: "UTC" }] }],
        },
      },
    };
    const forwards: Forwards = { one: udp, two: udp, mine: { ...udp, relay: own } };
    await using project = await bringUp(world(), namespace, forwards);
    const { entries } = await project.status();
    const [one, two, mine] = entries.map(({ relay }) => relay?.name);
    expect(one).toBe(two);
    expect(mine).not.toBe(one);
    await using client = await UdpAsker.open((await portsOf(project))("mine"));
    expect(String(await client.ask("ping"))).toBe("ping");

    await project.write(
      fileOf(namespace, { ...forwards, mine: { ...udp, relay: own, hold: "3s" } }, world().relayImage),
    );
    expect((await project.ok("up", "--wait")).stderr).toContain("ready 3/3");
    const after = await project.forward("mine");
    expect(after.relay).toMatchObject({ state: "running", name: mine });
    await using later = await UdpAsker.open(after.localPort ?? 0);
    expect(String(await later.ask("pong"))).toBe("pong");
  }, 60_000);
}
