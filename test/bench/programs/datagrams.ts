/** Datagrams at a steady rate to an echo, and what becomes of them. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { quantile } from "../harness/statistics.ts";
import { nowMs, type Tasks } from "./tasks.ts";

/** A client that loses what comes would blame the way. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** For stragglers. */
const REST_MS = 1_000;

const TICK_MS = 1;

const ASK_EVERY_MS = 10;
const GIVE_UP_MS = 60_000;

export async function datagrams({
  port,
  size,
  perSecond,
  seconds,
}: Tasks["datagrams"]["ask"]): Promise<Tasks["datagrams"]["answer"]> {
  const socket = await open(port);
  const count = perSecond * seconds;
  const sentMs = new Float64Array(count);
  const tookMs: number[] = [];
  const seen = new Uint8Array(count);
  const heardAll = new Promise<void>((resolve) => {
    socket.on("message", (datagram) => {
      const number = datagram.readUInt32BE(0);
      if (datagram.length !== size || seen[number]) throw new Error("an answer that nobody asked for");
      seen[number] = 1;
      tookMs.push(nowMs() - (sentMs[number] ?? 0));
      if (tookMs.length === count) resolve();
    });
  });
  await send(socket, { count, size, perSecond }, sentMs);
  await Promise.race([heardAll, new Promise((resolve) => setTimeout(resolve, REST_MS))]);
  socket.close();
  if (tookMs.length === 0) return { lostPercent: 100, p50: Number.NaN, p99: Number.NaN };
  const lostPercent = (100 * (count - tookMs.length)) / count;
  return { lostPercent, p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
}

/** Asks until something comes back. */
export async function firstDatagram({
  port,
}: Tasks["firstDatagram"]["ask"]): Promise<Tasks["firstDatagram"]["answer"]> {
  const socket = await open(port);
  const asking = setInterval(() => socket.send("x", () => {}), ASK_EVERY_MS);
  let late: NodeJS.Timeout | undefined;
  try {
    // Not `once`: until somebody listens there, the socket has an error for each datagram.
    await new Promise<void>((resolve, reject) => {
      socket.on("message", () => resolve());
      late = setTimeout(() => reject(new Error("no answer")), GIVE_UP_MS);
    });
    return { atMs: nowMs() };
  } finally {
    clearInterval(asking);
    clearTimeout(late);
    socket.close();
  }
}

async function open(port: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {}); // nobody listens there yet
  return socket;
}

/** Each millisecond as many as are due: what one tick was late for, the next one sends. */
function send(
  socket: Socket,
  { count, size, perSecond }: { readonly count: number; readonly size: number; readonly perSecond: number },
  sentMs: Float64Array,
): Promise<void> {
  const startedAtMs = nowMs();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(count, Math.floor(((nowMs() - startedAtMs) * perSecond) / 1_000));
      for (; sent < due; sent++) {
        const datagram = Buffer.alloc(size);
        datagram.writeUInt32BE(sent, 0);
        sentMs[sent] = nowMs();
        socket.send(datagram, () => {});
      }
      if (sent < count) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
}
