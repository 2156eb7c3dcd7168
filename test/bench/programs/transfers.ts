/** One long connection that carries a lot, down or up. */
import { once } from "node:events";
import { connect } from "node:net";
import { PatternCheck, sendPattern } from "./pattern.ts";
import { nowMs, type Tasks } from "./tasks.ts";

const READ_BYTES = 256 * 1024;

export async function download({ port, bytes }: Tasks["download"]["ask"]): Promise<{ ms: number }> {
  const check = new PatternCheck();
  const startedAtMs = nowMs();
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
  const ms = nowMs() - startedAtMs;
  if (check.bytes !== bytes) throw new Error(`${check.bytes} of ${bytes} bytes came`);
  if (check.wrong) throw new Error(`${bytes} bytes came, and some are wrong`);
  return { ms };
}

export async function upload({ port, bytes }: Tasks["upload"]["ask"]): Promise<{ ms: number }> {
  const startedAtMs = nowMs();
  const socket = connect({ host: "127.0.0.1", port });
  const closed = once(socket, "close");
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.write(`${bytes}\n`);
  await Promise.race([sendPattern(socket, bytes), closed]);
  await closed;
  const ms = nowMs() - startedAtMs;
  if (answer !== `${bytes} right\n`) throw new Error(`${bytes} bytes sent, the pod says "${answer.trim()}"`);
  return { ms };
}
