/**
 * What the CLI and a supervisor say to each other: one JSON document a line, over the supervisor's socket.
 *
 * | line                                  | sender     | meaning                                                  |
 * |---------------------------------------|------------|----------------------------------------------------------|
 * | `{"id":1,"method":"…","params":{…}}`  | client     | a request; `id` is the client's, unique per connection   |
 * | `{"id":1,"result":{…}}`               | supervisor | its answer                                               |
 * | `{"id":1,"error":{code,message,hint}}`| supervisor | its refusal; the connection stays usable                 |
 * | `{"id":1,"event":{…}}`                | supervisor | one of many, for a `follow` request, from before its answer on |
 *
 * | method     | params                                | result                              |
 * |------------|---------------------------------------|-------------------------------------|
 * | `hello`    | protocol, version, challenge, proof   | protocol, version, pid, proof; drainLeftMs while it ends |
 * | `ping`     | none                                  | `{}`                                |
 * | `status`   | none                                  | StatusReport                        |
 * | `stop`     | StopRequest                           | StopResult                          |
 * | `apply`    | ApplyRequest                          | ApplyResult                         |
 * | `plan`     | ApplyRequest                          | ApplyResult, of which nothing is done |
 * | `release`  | ReleaseRequest                        | StopResult                          |
 * | `halt`     | HaltRequest                           | NamesResult                         |
 * | `start`    | NamesRequest                          | NamesResult                         |
 * | `restart`  | NamesRequest                          | NamesResult                         |
 * | `follow`   | none                                  | `{}`, and events                    |
 * | `unfollow` | `{"follow": id of the follow}`        | `{}`                                |
 *
 * The first request must be `hello`, within {@link HELLO_WITHIN_MS}. Both sides prove that they know the nonce of the
 * lock, and neither tells it: `proof` is HMAC-SHA256(nonce, "client:" + challenge) from the client and
 * HMAC-SHA256(nonce, "server:" + challenge) from the supervisor, in hex. `hello`, `ping`, `status` and `stop` keep
 * their shape for ever; the others need an overlap of the two protocol ranges. Unknown fields are ignored.
 * What a connection has claimed by `apply` is released when it closes.
 */
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import type { ErrorRecord } from "../../errors.ts";
import { agree } from "./agree.ts";
import { errorRecord } from "./payloads.ts";

/** The first and last protocol version a program speaks. */
export interface ProtocolRange {
  readonly min: number;
  readonly max: number;
}

/** What this version speaks. */
export const PROTOCOL: ProtocolRange = { min: 1, max: 1 };

/** Longest line taken or sent, in bytes, without its newline. */
export const LINE_MAX_BYTES = 1024 * 1024;

/** A client that has not greeted after this long is disconnected. */
export const HELLO_WITHIN_MS = 2_000;

/** Methods of this version; the first four are those of every version. */
export type Method =
  | "hello"
  | "ping"
  | "status"
  | "stop"
  | "apply"
  | "plan"
  | "release"
  | "halt"
  | "start"
  | "restart"
  | "follow"
  | "unfollow";

/** Whether two programs may use more than the frozen methods with each other. */
export function overlaps(a: ProtocolRange, b: ProtocolRange): boolean {
  return a.min <= b.max && b.min <= a.max;
}

const id = z.int().check(z.gte(0));

export const protocolRange = agree<ProtocolRange>()(z.object({ min: z.int(), max: z.int() }));

/** A request before its params are looked at; `params` is undefined where the line has none. */
export interface ControlRequest {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

const request = z.object({ id, method: z.string().check(z.maxLength(64)), params: z.optional(z.unknown()) });

/** What a supervisor sends; `result` and `event` are not looked at yet. */
export type ControlReply =
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: ErrorRecord }
  | { readonly kind: "event"; readonly id: number; readonly event: unknown };

const reply = z.object({
  id,
  result: z.optional(z.unknown()),
  error: z.optional(errorRecord),
  event: z.optional(z.unknown()),
});

/** The client's half of the greeting. */
export interface HelloRequest {
  readonly protocol: ProtocolRange;
  readonly version: string;
  readonly challenge: string;
  readonly proof: string;
}

export const helloRequest = agree<HelloRequest>()(
  z.object({
    protocol: protocolRange,
    version: z.string().check(z.maxLength(64)),
    challenge: z.string().check(z.minLength(16), z.maxLength(128)),
    proof: z.string().check(z.maxLength(128)),
  }),
);

/** The supervisor's half. */
export interface HelloAnswer {
  readonly protocol: ProtocolRange;
  readonly version: string;
  /** As its own PID namespace counts. */
  readonly pid: number;
  readonly proof: string;
  /** How much longer its connections may go on; absent as long as it is not being stopped. */
  readonly drainLeftMs?: number;
}

export const helloAnswer = agree<HelloAnswer>()(
  z.object({
    protocol: protocolRange,
    version: z.string().check(z.maxLength(64)),
    pid: z.int(),
    proof: z.string().check(z.maxLength(128)),
    drainLeftMs: z.exactOptional(z.number().check(z.gte(0))),
  }),
);

/** Params of `unfollow`. */
export const unfollowRequest = z.object({ follow: id });

/** The message a proof is computed over, with the nonce of the lock as the key. */
export function proofText(side: "client" | "server", challenge: string): string {
  return `${side}:${challenge}`;
}

/** Undefined when the line is no request. */
export function decodeRequest(line: string): ControlRequest | undefined {
  const parsed = request.safeParse(parsedJson(line));
  return parsed.success
    ? { id: parsed.data.id, method: parsed.data.method, params: parsed.data.params }
    : undefined;
}

/** Undefined when the line is nothing a supervisor says. */
export function decodeReply(line: string): ControlReply | undefined {
  const parsed = reply.safeParse(parsedJson(line));
  if (!parsed.success) return undefined;
  const { id, result, error, event } = parsed.data;
  if (error !== undefined) return { kind: "error", id, error };
  if (event !== undefined) return { kind: "event", id, event };
  return result === undefined ? undefined : { kind: "result", id, result };
}

/** A message as a line, newline included. */
export function encodeLine(
  message:
    | { readonly id: number; readonly method: Method; readonly params?: object }
    | { readonly id: number; readonly result: object }
    | { readonly id: number; readonly error: ErrorRecord }
    | { readonly id: number; readonly event: object },
): string {
  return `${JSON.stringify(message)}\n`;
}
