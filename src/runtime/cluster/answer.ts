/** Reads the HTTP answer to an upgrade request from a socket, and no byte more than it has to. */
import type { Clock } from "../deps.ts";
import type { ApiAccess, Dialled } from "./access.ts";
import { dialFailure, malformedAnswer } from "./failures.ts";

/** How long the API server may take to answer the request: it dials the node first. */
export const ANSWER_DEADLINE_MS = 10_000;

/** How long the words of a refusal are waited for, once its status is known. */
const BODY_DEADLINE_MS = 1_000;

/** Longest response head, and longest body of a refusal, that is read. */
const ANSWER_MAX_BYTES = 64 * 1024;

/** The head of an answer. */
export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  /** What came behind the head. */
  readonly rest: Buffer;
}

/** What reading takes. */
export interface Reading {
  readonly access: ApiAccess;
  readonly dialled: Dialled;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * `late`: none came within {@link ANSWER_DEADLINE_MS}.
 * @throws KfwdError when the connection ended, or something else than HTTP came; the signal's reason.
 */
export async function readAnswer(reading: Reading): Promise<Answer | "late"> {
  const { access } = reading;
  let read = Buffer.alloc(0);
  let end = -1;
  const outcome = await readUntil(reading, ANSWER_DEADLINE_MS, (bytes) => {
    read = Buffer.concat([read, bytes]);
    end = read.indexOf("\r\n\r\n");
    return end >= 0 || read.length > ANSWER_MAX_BYTES;
  });
  if (outcome === "late") return "late";
  const [statusLine = "", ...headerLines] = read.toString("latin1", 0, Math.max(0, end)).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1];
  if (end < 0 || status === undefined) {
    if (read.length === 0) throw dialFailure(access, new Error("closed without an answer"));
    throw malformedAnswer(access, "an answer that is not HTTP");
  }
  const headers = new Map(headerLines.map(headerOf));
  return { status: Number(status), header: (name) => headers.get(name), rest: read.subarray(end + 4) };
}

function headerOf(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

/** The words of a refusal, as far as they come soon: its status says enough, so this never fails but by the signal. */
export async function readBody(reading: Reading, answer: Answer): Promise<string> {
  let read = answer.rest;
  let body = bodyIn(read, answer);
  if (body.missing) {
    const more = readUntil(reading, BODY_DEADLINE_MS, (bytes) => {
      read = Buffer.concat([read, bytes]);
      body = bodyIn(read, answer);
      return !body.missing || read.length > ANSWER_MAX_BYTES;
    });
    await more.catch(() => reading.signal.throwIfAborted());
  }
  return body.text;
}

/** `missing`: more is to come. Without a length the body goes on to the end of the connection. RFC 9112, section 6.3. */
function bodyIn(read: Buffer, answer: Answer): { readonly text: string; readonly missing: boolean } {
  if (/\bchunked\b/i.test(answer.header("transfer-encoding") ?? "")) return chunksIn(read);
  const wanted = Number(answer.header("content-length") ?? Number.POSITIVE_INFINITY);
  return { text: read.toString("utf8", 0, Math.min(wanted, read.length)), missing: read.length < wanted };
}

function chunksIn(read: Buffer): { readonly text: string; readonly missing: boolean } {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = read.indexOf("\r\n", at);
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(read.toString("latin1", at, lineEnd), 16);
    const begin = lineEnd + 2;
    if (length > 0) chunks.push(read.subarray(begin, begin + length));
    at = begin + length + 2;
    if (!(length > 0 && at <= read.length)) {
      return { text: Buffer.concat(chunks).toString("utf8"), missing: length !== 0 };
    }
  }
}

/** Hands bytes to `enough` until it says so, the peer ends, or it is late. Leaves the socket paused. */
function readUntil(
  { dialled: { socket, intake }, clock, signal }: Reading,
  deadlineMs: number,
  enough: (bytes: Buffer) => boolean,
): Promise<"read" | "late"> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      deadline[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      socket.off("end", onEnd).off("close", onEnd).off("error", onError);
      socket.pause();
      outcome();
    };
    const onEnd = (): void => settle(() => resolve("read"));
    const onError = (error: Error): void => settle(() => reject(error));
    const onAbort = (): void => settle(() => reject(signal.reason));
    const deadline = clock.timer(deadlineMs, () => settle(() => resolve("late")));
    intake.deliver((bytes) => {
      if (enough(bytes)) settle(() => resolve("read"));
      return "taken";
    });
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("end", onEnd).on("close", onEnd).on("error", onError);
    if (socket.errored) onError(socket.errored); // it may have died between the dial and now
    else if (socket.destroyed) onEnd();
    else socket.resume();
  });
}
