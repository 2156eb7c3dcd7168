/** Connections beside one that is stalled. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { firstByte } from "./connecting.ts";
import { PatternCheck } from "./pattern.ts";
import type { Tasks } from "./tasks.ts";
import { putPattern } from "./transfers.ts";

/** By then every buffer on the way is full. */
const STALL_MS = 1_500;

export async function neighbours({
  port,
  count,
  deadlineMs,
  stalled,
}: Tasks["neighbours"]["ask"]): Promise<Tasks["neighbours"]["answer"]> {
  const stall = stalled.by === "reader" ? stallReading(stalled) : stallWriting(stalled);
  await new Promise((resolve) => setTimeout(resolve, STALL_MS));
  const ms: number[] = [];
  for (let done = 0; done < count; done++) ms.push(await firstByte(port, deadlineMs).catch(() => deadlineMs));
  await stall.end();
  return { ms };
}

interface Stall {
  /** Lets it go on. Resolves when every byte has arrived. */
  end(): Promise<void>;
}

type Way = Tasks["neighbours"]["ask"]["stalled"];

function stallReading({ port, bytes }: Way): Stall {
  const socket = connect({ host: "127.0.0.1", port });
  socket.pause().write(`${bytes}\n`);
  return { end: () => readAll(socket, bytes) };
}

async function readAll(socket: Socket, bytes: number): Promise<void> {
  const check = new PatternCheck();
  socket.on("data", (chunk: Buffer) => check.push(chunk));
  await once(socket.resume(), "close");
  if (check.bytes !== bytes || check.wrong)
    throw new Error(`the stalled reader got ${check.bytes} of ${bytes} bytes`);
}

/** The pod reads late by itself. */
function stallWriting({ port, bytes }: Way): Stall {
  const sent = putPattern(port, bytes);
  sent.catch(() => {}); // told at the end
  return { end: () => sent };
}
