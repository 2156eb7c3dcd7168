/** A supervisor in another process, driven over its socket by the same calls as one in this process. */
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import type { StatusReport, SupervisorEvent } from "../core/status.ts";
import type {
  ApplyRequest,
  ApplyResult,
  HaltRequest,
  NamesRequest,
  NamesResult,
  ReleaseRequest,
  StopRequest,
  StopResult,
  SupervisorControl,
} from "../deps.ts";
import { overlaps, PROTOCOL, type HelloAnswer, type Method } from "../wire/control.ts";
import type { LockRecord } from "../wire/lockrecord.ts";
import { applyResult, namesResult, statusReport, stopResult, supervisorEvent } from "../wire/payloads.ts";
import type { ControlChannel } from "./channel.ts";
import { within } from "./deadline.ts";
import { greet, type GreetDeps } from "./greet.ts";

/** A supervisor answers `ping` and `status` from memory; one that takes longer than this is stuck. */
const ANSWER_MS = 5_000;

/**
 * Connects to the supervisor that holds a lock. `timeoutMs` bounds the greeting; the signal ends the connection at
 * any time, and whatever waits on it rejects. Whoever asked disposes the client.
 * @throws KfwdError `NOT_RUNNING`, `UNRESPONSIVE`, `OWNER_UNPROVEN`; the signal's reason.
 */
export async function connectControl(
  deps: GreetDeps,
  record: LockRecord,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ControlClient> {
  const { timeoutMs, signal } = options;
  const greeting = await greet(deps, record, timeoutMs, signal);
  const who = `the supervisor of project "${record.project}" (pid ${record.pid})`;
  switch (greeting.kind) {
    case "open":
      return new ControlClient(deps, greeting.channel, greeting.hello, signal);
    case "refused":
    case "absent":
      throw new KfwdError("NOT_RUNNING", `cannot reach ${who}: it does not listen any more`);
    case "silent":
      throw new KfwdError("UNRESPONSIVE", `cannot reach ${who}: no answer within ${timeoutMs} ms`);
    case "brokenOff":
      throw new KfwdError("UNRESPONSIVE", `cannot reach ${who}: it closed the connection`);
    case "impostor":
      throw new KfwdError("OWNER_UNPROVEN", `cannot reach ${who}: another program answers at its socket`);
  }
}

/** Of a supervisor of another major version only `ping`, `status` and `stop` work. */
export class ControlClient implements SupervisorControl, AsyncDisposable {
  /** How the supervisor introduced itself. */
  readonly hello: HelloAnswer;
  /** Aborted when the connection is over, with a KfwdError as its reason. */
  readonly closed: AbortSignal;
  readonly #deps: GreetDeps;
  readonly #channel: ControlChannel;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  constructor(deps: GreetDeps, channel: ControlChannel, hello: HelloAnswer, signal: AbortSignal) {
    this.hello = hello;
    this.closed = channel.closed;
    this.#deps = deps;
    this.#channel = channel;
    this.#signal = signal;
    this.#onAbort = () => channel[Symbol.dispose]();
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  async ping(): Promise<void> {
    await this.#ask("ping", undefined, z.object({}), ANSWER_MS);
  }

  status(): Promise<StatusReport> {
    return this.#ask("status", undefined, statusReport, ANSWER_MS);
  }

  /** Takes as long as the supervisor drains: end the wait with the signal. */
  stop(request: StopRequest): Promise<StopResult> {
    return this.#ask("stop", request, stopResult);
  }

  /** @throws also KfwdError `VERSION_SKEW`. */
  async apply(request: ApplyRequest): Promise<ApplyResult> {
    this.#requireOverlap("change the forwards of");
    if (request.recreate !== undefined) await this.plan(request); // an earlier version would not heed it
    const told = request.owner === "client" ? { ...request, ownerPid: process.pid } : request;
    return this.#ask("apply", told, applyResult);
  }

  /** @throws also KfwdError `VERSION_SKEW`, of a supervisor that cannot tell. */
  async plan(request: ApplyRequest): Promise<ApplyResult> {
    this.#requireOverlap("compare the file with");
    return this.#ask("plan", request, applyResult); // has its turn behind whoever is asked for a login
  }

  /** @throws also KfwdError `VERSION_SKEW`. */
  async release(request: ReleaseRequest): Promise<StopResult> {
    this.#requireOverlap("release forwards of");
    return this.#ask("release", request, stopResult);
  }

  /** Takes as long as connections may go on, as `stop` does. @throws also KfwdError `VERSION_SKEW`. */
  async halt(request: HaltRequest): Promise<NamesResult> {
    this.#requireOverlap("stop forwards of");
    return this.#ask("halt", request, namesResult);
  }

  /** @throws also KfwdError `VERSION_SKEW`. */
  async start(request: NamesRequest): Promise<NamesResult> {
    this.#requireOverlap("start forwards of");
    return this.#ask("start", request, namesResult);
  }

  /** @throws also KfwdError `VERSION_SKEW`. */
  async restart(request: NamesRequest): Promise<NamesResult> {
    this.#requireOverlap("restart forwards of");
    return this.#ask("restart", request, namesResult);
  }

  /** Events of a kind this version does not know are left out. @throws also KfwdError `VERSION_SKEW`. */
  async follow(listener: (event: SupervisorEvent) => void): Promise<AsyncDisposable> {
    this.#requireOverlap("follow");
    const id = this.#channel.nextId;
    const listening = this.#channel.listen(id, (event) => {
      const parsed = supervisorEvent.safeParse(event);
      if (parsed.success) listener(parsed.data);
    });
    try {
      await this.#ask("follow", undefined, z.object({}));
    } catch (thrown) {
      listening[Symbol.dispose]();
      throw thrown;
    }
    return {
      [Symbol.asyncDispose]: async () => {
        listening[Symbol.dispose]();
        await this.#ask("unfollow", { follow: id }, z.object({}), ANSWER_MS).catch(() => {}); // it may be gone
      },
    };
  }

  /** @see ControlChannel.hold */
  hold(process: "keepsAlive" | "idle"): void {
    this.#channel.hold(process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#channel[Symbol.dispose]();
  }

  async #ask<T>(
    method: Method,
    params: object | undefined,
    schema: z.ZodMiniType<T>,
    withinMs?: number,
  ): Promise<T> {
    const answer = await this.#answer(method, params, withinMs);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new KfwdError(
      "VERSION_SKEW",
      `cannot read what the supervisor (kfwd ${this.hello.version}) answered`,
    );
  }

  #answer(method: Method, params: object | undefined, withinMs: number | undefined): Promise<unknown> {
    const answer = this.#channel.request(method, params);
    if (withinMs === undefined) return this.#explain(answer);
    const late = (): KfwdError =>
      new KfwdError("UNRESPONSIVE", `the supervisor did not answer "${method}" within ${withinMs / 1000} s`);
    return this.#explain(within(this.#deps.clock, withinMs, answer, late));
  }

  /** What the caller's signal ended, ends with the signal's reason. */
  async #explain(answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } catch (thrown) {
      this.#signal.throwIfAborted();
      throw thrown;
    }
  }

  #requireOverlap(action: string): void {
    if (overlaps(this.hello.protocol, PROTOCOL)) return;
    throw new KfwdError(
      "VERSION_SKEW",
      `cannot ${action} the supervisor: it is kfwd ${this.hello.version}, which speaks another control protocol`,
    );
  }
}
