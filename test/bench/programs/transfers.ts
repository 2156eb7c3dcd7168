/** Long connections that carry a lot, down or up. */
import { once } from "node:events";
import { connect } from "node:net";
import { PatternCheck, sendPattern } from "./pattern.ts";
import { nowMs, type Transfer } from "./tasks.ts";

const READ_BYTES = 256 * 1024;

export function download(transfer: Transfer): Promise<{ ms: number }> {
  return together(transfer, fetchPattern);
}

export function upload(transfer: Transfer): Promise<{ ms: number }> {
  return together(transfer, putPattern);
}

async function together(
  { port, bytes, streams }: Transfer,
  one: (port: number, bytes: number) => Promise<void>,
): Promise<{ ms: number }> {
  const startedAtMs = nowMs();
  await Promise.all(Array.from({ length: streams }, () => one(port, bytes)));
  return { ms: nowMs() - startedAtMs };
}

async function fetchPattern(port: number, bytes: number): Promise<void> {
  const check = new PatternCheck();
  const socket = connect({
    host: "127.0.0.1",
    port,
    onread: {
      buffer: Buffer.alloc(READ_BYTES), // one buffer for all: the client's garbage would be measured too
      callback: (length, buffer) => {
        check.push(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    },
  });
  socket.write(`${bytes}\n`);
  await once(socket, "close");
  if (check.bytes !== bytes) throw new Error(`${check.bytes} of ${bytes} bytes came`);
  if (check.wrong) throw new Error(`${bytes} bytes came, and some are wrong`);
}

/** @throws Error when the pod did not get every byte. */
export async function putPattern(port: number, bytes: number): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port });
  const closed = once(socket, "close");
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.write(`${bytes}\n`);
  await Promise.race([sendPattern(socket, bytes), closed]);
  await closed;
  if (answer !== `${bytes} right\n`) throw new Error(`${bytes} bytes sent, the pod says "${answer.trim()}"`);
}
