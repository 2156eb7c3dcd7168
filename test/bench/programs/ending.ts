/** Exchanges of which the end is what matters. */
import { once } from "node:events";
import { connect } from "node:net";
import { nowMs, type Tasks } from "./tasks.ts";

/** What the server says before it closes. */
const ANSWER_BYTES = 64;

export async function closings({
  port,
  count,
}: Tasks["closings"]["ask"]): Promise<Tasks["closings"]["answer"]> {
  const ms: number[] = [];
  while (ms.length < count) {
    const startedAtMs = nowMs();
    const heard = await exchange(port, `${ANSWER_BYTES}\n`, "stays");
    if (heard.length !== ANSWER_BYTES) throw new Error(`${heard.length} bytes of an answer`);
    ms.push(nowMs() - startedAtMs);
  }
  return { ms };
}

export async function lateAnswer({
  port,
}: Tasks["lateAnswer"]["ask"]): Promise<Tasks["lateAnswer"]["answer"]> {
  const startedAtMs = nowMs();
  const heard = await exchange(port, "question", "halfCloses");
  if (String(heard) !== "question") throw new Error(`"${String(heard)}" is no answer to "question"`);
  return { ms: nowMs() - startedAtMs };
}

/** All that comes until the server ends. */
async function exchange(port: number, words: string, client: "stays" | "halfCloses"): Promise<Buffer> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  await once(socket, "connect");
  if (client === "halfCloses") socket.end(words);
  else socket.write(words);
  await once(socket, "end");
  socket.destroy();
  return Buffer.concat(parts);
}
