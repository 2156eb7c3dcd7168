/** Many short connections, one after the other or some at once. */
import { connect } from "node:net";
import { nowMs, type Tasks } from "./tasks.ts";

const ECHO_DEADLINE_MS = 30_000;

export async function firstBytes({
  port,
  count,
  atOnce,
}: Tasks["firstBytes"]["ask"]): Promise<Tasks["firstBytes"]["answer"]> {
  const ms: number[] = [];
  while (ms.length < count) {
    ms.push(...(await Promise.all(Array.from({ length: atOnce }, () => firstByte(port)))));
  }
  return { ms };
}

export async function connections({
  port,
  count,
  atOnce,
}: Tasks["connections"]["ask"]): Promise<Tasks["connections"]["answer"]> {
  let left = count;
  let failed = 0;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left--;
      await firstByte(port).catch(() => failed++);
    }
  };
  const startedAtMs = nowMs();
  await Promise.all(Array.from({ length: atOnce }, work));
  return { ms: nowMs() - startedAtMs, failed };
}

/** A byte there and back on a new connection, which is then closed without waiting for anybody. */
export function firstByte(port: number, deadlineMs = ECHO_DEADLINE_MS): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAtMs = nowMs();
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const deadline = setTimeout(() => socket.destroy(new Error("no echo in time")), deadlineMs);
    socket.once("connect", () => socket.write("x"));
    socket.once("data", () => {
      resolve(nowMs() - startedAtMs);
      socket.destroy();
    });
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(deadline);
      reject(new Error("closed before the echo"));
    });
  });
}
