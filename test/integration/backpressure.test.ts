import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { portsOf, projectOf } from "../behaviour/stage.ts";
import { dial, exchange, within } from "../rig/client.ts";
import { Probed } from "../rig/probed.ts";
import type { Project } from "../rig/project.ts";

/** Each pod has a connection to the cluster for each of its readers: one that stalls holds up nobody else. */
const PODS = ["left", "right"] as const;
const READERS = 5;
const STALLED = PODS.length * READERS;

const MIB = 1024 * 1024;

/** What a reader that stalls may cost, resident and in what JavaScript counts; kernel buffers are not in it. */
const RESIDENT_MAX_BYTES = MIB;
const HELD_MAX_BYTES = MIB / 4;

test.runIf(process.platform === "linux")(
  "ten readers that stall in a download of 1 GiB cost less than 1 MiB each, and can go on",
  async () => {
    await using world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await Promise.all(PODS.map((name) => world.deploy(namespace, name)));
    const forwards = PODS.map(
      (name) => [name, { target: `svc/${name}`, port: 7005, local: "auto" }] as const,
    );
    await using project = await projectOf(world, namespace, Object.fromEntries(forwards));
    const supervisor = await Probed.up(project);
    const port = await portsOf(project);
    const each = <T>(run: (port: number) => Promise<T>): Promise<T[]> =>
      Promise.all(PODS.flatMap((name) => Array.from({ length: READERS }, () => run(port(name)))));

    const downloads = await each((local) => exchange(local, "16\n"));
    expect(downloads.map(({ received }) => received.length)).toEqual(Array(STALLED).fill(16 * MIB));
    const before = await supervisor.look();

    const readers = await each(stall);
    await standstill(project);
    const during = await supervisor.look();
    expect((during.rssBytes - before.rssBytes) / STALLED).toBeLessThan(RESIDENT_MAX_BYTES);
    const held = ({ heapBytes, externalBytes }: typeof during): number => heapBytes + externalBytes;
    expect((held(during) - held(before)) / STALLED).toBeLessThan(HELD_MAX_BYTES);

    await Promise.all(readers.map((reader) => readOn(reader, 64 * MIB)));
    for (const reader of readers) reader.destroy();
  },
);

/** A client that reads the first bytes of what it has asked for, and no more. */
async function stall(port: number): Promise<Socket> {
  const socket = await dial(port);
  socket.write("1024\n");
  await within(once(socket, "data"));
  return socket.pause();
}

/** Resolves when nothing more comes from the pods: all buffers on the way are full. */
async function standstill(project: Project): Promise<void> {
  for (let last = -1; ;) {
    const { entries } = await project.status(); // takes a tenth of a second
    const bytes = entries.reduce((sum, { traffic }) => sum + traffic.bytesIn, 0);
    if (bytes === last) return;
    last = bytes;
  }
}

async function readOn(socket: Socket, bytes: number): Promise<void> {
  let left = bytes;
  const enough = new Promise<void>((resolve) =>
    socket.on("data", (part: Buffer) => {
      left -= part.length;
      if (left <= 0) resolve();
    }),
  );
  socket.resume();
  await within(enough, 30_000);
}
