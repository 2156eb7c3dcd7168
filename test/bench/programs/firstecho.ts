/** How the client learns that forwards work. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { nowMs, type Tasks } from "./tasks.ts";

/** How exactly a start is measured, against what looking costs the machine. */
const LOOK_EVERY_MS = 2;

const GIVE_UP_MS = 60_000;

/**
 * Looks at one port at a time: the last echo does not come sooner for looking at the others meanwhile, and ten ports
 * looked at together would take a good part of the CPU from what is being started.
 */
export async function firstEcho({ ports }: Tasks["firstEcho"]["ask"]): Promise<Tasks["firstEcho"]["answer"]> {
  const untilMs = nowMs() + GIVE_UP_MS;
  const echoes: Promise<number>[] = [];
  for (const port of ports) {
    const socket = await accepted(port, untilMs);
    echoes.push(echoed(port, socket, untilMs));
  }
  const broken = (await Promise.all(echoes)).reduce((sum, one) => sum + one, 0);
  return { atMs: nowMs(), broken };
}

async function accepted(port: number, untilMs: number): Promise<Socket> {
  while (nowMs() < untilMs) {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    try {
      await once(socket, "connect");
      return socket;
    } catch {
      await sleep(LOOK_EVERY_MS);
    }
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Resolves with how many connections broke before one echoed. */
async function echoed(port: number, first: Socket, untilMs: number): Promise<number> {
  let socket = first;
  for (let broken = 0; nowMs() < untilMs; broken++) {
    if (await echoes(socket)) return broken;
    await sleep(LOOK_EVERY_MS);
    socket = await accepted(port, untilMs);
  }
  throw new Error(`port ${port} accepts connections and breaks them`);
}

function echoes(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(false));
    socket.write("x");
  });
}
