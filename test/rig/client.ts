import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** How long an answer may take before the test fails. */
const PATIENCE_MS = 15_000;

/** What a client saw of an exchange. `reset`: ECONNRESET; `closed`: the server's orderly end. */
export interface Exchange {
  readonly end: "closed" | "reset" | "refused";
  readonly received: Buffer;
}

/** Connects, sends, and reads until the server ends the exchange. `halfClose` ends the client's side after sending. */
export async function exchange(
  port: number,
  send: string | Buffer = "",
  options: { readonly halfClose?: boolean; readonly host?: string; readonly patienceMs?: number } = {},
): Promise<Exchange> {
  const socket = connect({ port, host: options.host ?? "127.0.0.1", allowHalfOpen: true });
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const settle = (end: Exchange["end"]): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ end, received: Buffer.concat(parts) });
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(`no end of the exchange on port ${port}; received ${Buffer.concat(parts).length} bytes`),
      );
    }, options.patienceMs ?? PATIENCE_MS);
    socket.on("connect", () => (options.halfClose ? socket.end(send) : socket.write(send)));
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("end", () => settle("closed"));
    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      settle(code === "ECONNREFUSED" ? "refused" : "reset"),
    );
  });
}

/** Sends a line and resolves with the first bytes that come back; the connection is closed then. */
export async function ask(port: number, line = "ping\n", host = "127.0.0.1"): Promise<string> {
  const socket = await dial(port, host);
  try {
    socket.write(line);
    return String((await within(once(socket, "data")))[0]);
  } finally {
    socket.destroy();
  }
}

/** Sends a word on a connection to an echo, which must come back. */
export async function expectEcho(socket: Socket): Promise<void> {
  const word = randomBytes(8).toString("hex");
  const answer = within(once(socket, "data"));
  socket.write(word);
  const came = String((await answer)[0]);
  if (came !== word) throw new Error(`"${word}" came back as "${came}"`);
}

/** A connection that stands; whoever asked destroys it. An error of it later on is told by its `close` alone. */
export async function dial(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true });
  await within(once(socket, "connect"));
  socket.on("error", () => {});
  return socket;
}

/** Resolves when the connection is over, however it ended; what still comes is read, and the client ends with the server. */
export function closing(socket: Socket): Promise<void> {
  socket.on("end", () => socket.destroy()).resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Fails when the promise takes longer than a test may wait. */
export async function within<T>(promise: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${patienceMs / 1000} s`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The body of `GET /` through a local port. Does not wait for the end of the connection, which comes a second later
 * when the server ends it first: that is what container runtimes do.
 */
export async function httpGet(port: number, host = "127.0.0.1"): Promise<string> {
  const socket = await dial(port, host);
  let text = "";
  try {
    const whole = new Promise<string>((resolve, reject) => {
      const look = (): void => {
        const [head = "", body] = text.split("\r\n\r\n", 2);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.POSITIVE_INFINITY);
        if (body === undefined || body.length < length) return;
        if (head.startsWith("HTTP/1.1 200")) resolve(body);
        else reject(new Error(`GET / on ${port}: ${text}`));
      };
      const fail = (how: string): void => reject(new Error(`GET / on ${port}: ${how} after "${text}"`));
      socket.setEncoding("latin1").on("data", (part: string) => {
        text += part;
        look();
      });
      socket.on("end", () => fail("ended"));
      socket.on("error", ({ message }) => fail(message));
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return await within(whole);
  } finally {
    socket.destroy();
  }
}
