/** What the container runtime does with one pair of streams. Source: containerd 2.3 `sandbox_portforward_linux.go`. */
import type { Socket } from "node:net";
import type { PodHost } from "./podhost.ts";
import type { Timers } from "./timers.ts";
import type { Faults } from "./faults.ts";

/** Where the server says what went wrong with a connection. */
export interface ErrorStream {
  /** False: the connection takes no more for now. */
  write(bytes: Buffer): boolean;
  /** Tells the client that nothing more will come. */
  close(): void;
  /** Ends both directions. */
  reset(): void;
}

/** The bytes of a connection, both ways. */
export interface DataStream extends ErrorStream {
  /** Calls `take` once with what comes next, or with undefined at the end of the client's direction. */
  read(take: (part: Buffer | undefined) => void): void;
  /** Calls back once when the connection takes data again. */
  whenDrained(resume: () => void): void;
}

/** One connection into a pod, and its port there. */
export interface StreamPair {
  readonly port: number;
  readonly data: DataStream;
  readonly error: ErrorStream;
}

/** How the runtime behaves, where runtimes differ. */
export interface RuntimeOptions {
  /** How long it waits for the second direction once the first has ended. Real runtimes: 1000. */
  readonly lingerMs: number;
  /** How long the second stream of a pair may be late. Real servers: 30000. */
  readonly pairingMs: number;
  /** What a client sees of an application's reset: containerd 2.3 ends and explains (`text`), others reset (`bare`). */
  readonly onAppReset: "text" | "bare";
  /** Whether bytes that follow a refusal are thrown away, or hold a frame worker for ever: containerd before 2.1. */
  readonly onRefusal: "free" | "wedge";
}

/** What a port-forward needs besides its streams. */
export interface PortForwardSurroundings {
  readonly host: PodHost;
  readonly options: RuntimeOptions;
  readonly timers: Timers;
  readonly faults: Faults;
}

/** Carries one connection into the pod. Aborting the signal ends it at once, without a word to the client. */
export async function portForward(
  { port, data, error }: StreamPair,
  { host, options, timers, faults }: PortForwardSurroundings,
  signal: AbortSignal,
): Promise<void> {
  const explain = (why: string): void => {
    if (faults.dataBeforeError !== "") data.write(Buffer.from(faults.dataBeforeError));
    const text = Buffer.from(`error forwarding port ${port} to pod ${host.sandboxId}, uid : ${why}`);
    const step = faults.splitErrorText ? 1 : text.length;
    for (let at = 0; at < text.length; at += step) error.write(text.subarray(at, at + step));
  };

  const dialled = await host.dial(port);
  if (signal.aborted) {
    if (dialled.kind === "open") dialled.socket.destroy();
    return;
  }
  switch (dialled.kind) {
    case "gone":
      explain(`network namespace for sandbox "${host.sandboxId}" is closed`);
      data.reset();
      error.reset();
      return;
    case "refused":
      data.close();
      explain(refusalText(host, port));
      if (options.onRefusal === "free") data.reset();
      error.reset();
      return;
    case "open":
  }

  const why = await copyBothWays(data, dialled.socket, options.lingerMs, timers, signal);
  if (signal.aborted) return;
  if (why === undefined) {
    data.close();
    error.close();
  } else if (options.onAppReset === "text") {
    data.close();
    explain(`failed to execute portforward in network namespace "${host.networkNamespace}": ${why}`);
    data.reset();
    error.reset();
  } else {
    data.reset();
    error.reset();
  }
}

/**
 * Copies until both directions have ended, or one has and the other has not within `lingerMs`; then the socket is
 * destroyed. The client's end is never passed on to the application. Resolves with the first error of the socket.
 */
function copyBothWays(
  data: DataStream,
  socket: Socket,
  lingerMs: number,
  timers: Timers,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const open = new Set(["from the app", "from the client"]);
    let lingering: Disposable | undefined;
    let why: string | undefined;
    const finish = (): void => {
      open.clear();
      lingering?.[Symbol.dispose]();
      signal.removeEventListener("abort", finish);
      socket.destroy();
      resolve(why);
    };
    const ended = (direction: string): void => {
      if (!open.delete(direction)) return;
      if (open.size === 0) finish();
      else lingering = timers.after(lingerMs, finish);
    };
    signal.addEventListener("abort", finish, { once: true });

    socket.on("data", (chunk: Buffer) => {
      if (data.write(chunk)) return;
      socket.pause();
      data.whenDrained(() => socket.resume());
    });
    const fail = (code = ""): void => {
      const cause = code === "ECONNRESET" ? "connection reset by peer" : code;
      why ??= `writeto tcp4 127.0.0.1: read tcp4 127.0.0.1: read: ${cause}`;
    };
    socket.on("error", ({ code }: NodeJS.ErrnoException) => fail(code));
    socket.once("end", () => {
      // Node 20 tells an end for a reset that arrives together with data; only a reset socket has no peer any more
      if (socket.remotePort === undefined) fail("ECONNRESET");
      ended("from the app");
    });
    socket.once("close", () => ended("from the app"));

    const pump = (): void =>
      data.read((part) => {
        if (part === undefined) ended("from the client");
        else socket.write(part, (error) => (error ? ended("from the client") : pump()));
      });
    pump();
  });
}

function refusalText({ networkNamespace, sandboxId }: PodHost, port: number): string {
  return (
    `failed to execute portforward in network namespace "${networkNamespace}": ` +
    `failed to connect to localhost:${port} inside namespace "${sandboxId}", ` +
    `IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused ` +
    `IPv6 dial tcp6: address localhost: no suitable address found `
  );
}
