/** A real relay process, and a way to its port as the tunnel knows it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { relayProgram } from "../../scripts/relayprogram.mjs";
import type { Clock, PodStream, StreamHandler } from "../../src/runtime/deps.ts";
import { RelayKey } from "../../src/runtime/cluster/relaykey.ts";
import { RelayTunnel } from "../../src/runtime/cluster/relaytunnel.ts";

let program: Promise<string> | undefined;

/** A relay as a child process. Disposing ends it. */
export interface RelayProcess extends AsyncDisposable {
  readonly port: number;
  readonly key: RelayKey;
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly output: () => string;
}

/** Resolves when it listens. */
export async function startRelay(options: { readonly idleMs?: number } = {}): Promise<RelayProcess> {
  program ??= relayProgram();
  const key = new RelayKey();
  const env = {
    PATH: process.env["PATH"],
    KFWD_RELAY_KEY: key.publicText,
    KFWD_RELAY_PORT: "0",
    ...(options.idleMs === undefined ? {} : { KFWD_RELAY_IDLE_MS: String(options.idleMs) }),
  };
  const child = spawn(process.execPath, ["-e", await program], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  let output = "";
  const port = await new Promise<number>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      const said = /listening on 127\.0\.0\.1:(\d+)/.exec(output);
      if (said) resolve(Number(said[1]));
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => reject(new Error(`the relay ended: ${output}`)));
  });
  return {
    port,
    key,
    child,
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A plain TCP connection in the shape of a stream into a pod. */
export function dialLocal(port: number): (handler: StreamHandler) => Promise<PodStream> {
  return async (handler) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk: Buffer) => void handler.onData(chunk));
    socket.on("end", () => handler.onEnd());
    socket.on("drain", () => handler.onDrain());
    socket.on("error", () => {});
    socket.on("close", () => handler.onClose({ kind: "done" }));
    await once(socket, "connect");
    return streamOf(socket);
  };
}

function streamOf(socket: Socket): PodStream {
  return {
    write: (chunk) => socket.write(Buffer.from(chunk)),
    end: () => void socket.end(),
    abort: () => void socket.destroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

/** A tunnel to it that is open. `closed` resolves with why it closed. */
export async function openTunnel(
  { port, key }: { readonly port: number; readonly key: RelayKey },
  clock: Clock,
): Promise<{ readonly tunnel: RelayTunnel; readonly closed: Promise<string> }> {
  let tellClosed: (why: string) => void = () => {};
  const closed = new Promise<string>((resolve) => (tellClosed = resolve));
  const deps = { clock, key, pod: "relay-1", dial: dialLocal(port) };
  let tellOpen: () => void = () => {};
  const opened = new Promise<void>((resolve) => (tellOpen = resolve));
  const tunnel = new RelayTunnel(deps, {
    onOpen: () => tellOpen(),
    onClose: ({ message }) => tellClosed(message),
  });
  const early = closed.then((why) => {
    throw new Error(why);
  });
  early.catch(() => {});
  await Promise.race([opened, early]);
  return { tunnel, closed };
}
