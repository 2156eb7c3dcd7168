/** Local ports for forwards to listen on. */
import { createServer } from "node:net";

/** Below the ports that Linux gives to outgoing connections, of which the bench makes thousands. */
const FIRST = 20_000;
const LAST = 30_000;

const given = new Set<number>();

/** Ports that nobody listens on now; never the same one twice. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port)) continue;
    given.add(port);
    if ((await isFree(port, "127.0.0.1")) && (await isFree(port, "::1"))) ports.push(port);
  }
  return ports;
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRNOTAVAIL"));
    server.listen({ port, host }, () => server.close(() => resolve(true)));
  });
}
