import { once } from "node:events";
import { createServer } from "node:net";

/** Below the range from which systems draw ports by themselves, so that nobody else takes them meanwhile. */
const [FIRST, COUNT] = [20_000, 10_000] as const;

const handedOut = new Set<number>();

/** A port that is free on 127.0.0.1 and ::1; every call gives another. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (handedOut.has(port) || !(await isFree(port, "127.0.0.1")) || !(await isFree(port, "::1"))) continue;
    handedOut.add(port);
    return port;
  }
}

async function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host });
    await once(server, "listening");
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EADDRNOTAVAIL"; // a machine without IPv6
  }
  server.close();
  await once(server, "close");
  return true;
}
