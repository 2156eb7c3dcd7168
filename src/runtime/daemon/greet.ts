/** Finds out whether the supervisor of a lock is at its socket: connect, and have each side prove it knows the nonce. */
import { connect, type Socket } from "node:net";
import { isAbsolute } from "node:path";
import type { Clock } from "../deps.ts";
import { helloAnswer, PROTOCOL, type HelloAnswer } from "../wire/control.ts";
import type { LockRecord } from "../wire/lockrecord.ts";
import { ControlChannel } from "./channel.ts";
import { errnoOf } from "../../errno.ts";
import { isProof, newChallenge, prove } from "./proof.ts";
import { SOCKET_PATH_MAX_BYTES } from "./projectfiles.ts";

/** How a supervisor is told whether it is there; a whole answer must come within this many milliseconds. */
export const GREETING_MS = 1_000;

/** What a greeting needs. */
export interface GreetDeps {
  readonly clock: Clock;
  /** Of this kfwd. */
  readonly version: string;
}

/**
 * What is at the socket.
 * - `open`: the supervisor; whoever asked disposes the channel
 * - `refused`: a socket that nobody listens at any more
 * - `absent`: no socket
 * - `silent`: a listener that does not answer in time
 * - `brokenOff`: one that hung up before it had answered, as one does that ends
 * - `impostor`: one that does not know the nonce
 */
export type Greeting =
  | { readonly kind: "open"; readonly channel: ControlChannel; readonly hello: HelloAnswer }
  | { readonly kind: "refused" | "absent" | "silent" | "brokenOff" | "impostor" };

/** @throws the signal's reason. */
export async function greet(
  deps: GreetDeps,
  record: Pick<LockRecord, "socket" | "instance">,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Greeting> {
  signal.throwIfAborted();
  if (!isUsablePath(record.socket)) return { kind: "absent" };
  const socket = connect({ path: record.socket });
  const late = new AbortController();
  const giveUp = (): void => {
    late.abort();
    socket.destroy();
  };
  const timer = deps.clock.timer(timeoutMs, giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const connected = await connecting(socket);
    const greeting: Greeting =
      connected === "connected" ? await exchange(deps, record, socket, late.signal) : { kind: connected };
    if (greeting.kind !== "open") socket.destroy();
    signal.throwIfAborted();
    return greeting;
  } finally {
    timer[Symbol.dispose]();
    signal.removeEventListener("abort", giveUp);
  }
}

/** A path that is too long would be cut, and lead to another socket; one that is not absolute may be an abstract name. */
function isUsablePath(path: string): boolean {
  if (path.startsWith("\\\\.\\pipe\\")) return true;
  return isAbsolute(path) && Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES;
}

function connecting(socket: Socket): Promise<"connected" | "refused" | "absent" | "silent"> {
  return new Promise((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.on("error", (error) => resolve(whyNot(error)));
    socket.once("close", () => resolve("silent")); // given up
  });
}

function whyNot(error: Error): "refused" | "absent" | "silent" {
  switch (errnoOf(error)) {
    case "ECONNREFUSED":
      return "refused";
    case "ENOENT":
    case "ENOTDIR":
      return "absent";
    case undefined:
    default:
      return "silent"; // EAGAIN: it listens, and its queue is full
  }
}

async function exchange(
  deps: GreetDeps,
  record: Pick<LockRecord, "instance">,
  socket: Socket,
  late: AbortSignal,
): Promise<Greeting> {
  const channel = new ControlChannel(socket);
  const challenge = newChallenge();
  const proof = prove(record.instance, "client", challenge);
  let answer: unknown;
  try {
    answer = await channel.request("hello", { protocol: PROTOCOL, version: deps.version, challenge, proof });
  } catch {
    // A refusal is an answer too, from someone who holds another nonce.
    if (!channel.closed.aborted) return { kind: "impostor" };
    return { kind: late.aborted ? "silent" : "brokenOff" };
  }
  const hello = helloAnswer.safeParse(answer);
  if (!hello.success || !isProof(hello.data.proof, record.instance, "server", challenge))
    return { kind: "impostor" };
  return { kind: "open", channel, hello: hello.data };
}
