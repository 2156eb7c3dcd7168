/** One client of a supervisor's socket, from its greeting to its end. */
import type { Socket } from "node:net";
import type * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import type { Client, Clock, Log, ServedControl } from "../deps.ts";
import {
  decodeRequest,
  encodeLine,
  helloRequest,
  HELLO_WITHIN_MS,
  LINE_MAX_BYTES,
  PROTOCOL,
  unfollowRequest,
  type ControlRequest,
} from "../wire/control.ts";
import { LineSplitter } from "../wire/lines.ts";
import { applyRequest, haltRequest, namesRequest, releaseRequest, stopRequest } from "../wire/payloads.ts";
import { isProof, prove } from "./proof.ts";

/** Bytes that may wait for a client that does not read; beyond them it is disconnected. */
const OUTBOUND_MAX_BYTES = LINE_MAX_BYTES;

/** Requests of one client that may be under way at once. */
const REQUESTS_MAX = 64;

/** What serving needs. */
export interface ServeDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly control: ServedControl;
  /** Effective user id; undefined on Windows. */
  readonly uid: number | undefined;
  /** Of this kfwd. */
  readonly version: string;
  /** The nonce of the lock. */
  readonly instance: string;
}

/** Takes over a connected socket. */
export class ControlPeer {
  readonly #deps: ServeDeps;
  readonly #socket: Socket;
  readonly #onDropped: (why: string) => void;
  readonly #greeting: Disposable;
  readonly #followed = new Map<number, AsyncDisposable>();
  readonly #closed = new AbortController();
  readonly #client: { pid: number | null; readonly closed: AbortSignal } = {
    pid: null,
    closed: this.#closed.signal,
  };
  #stage: "stranger" | "client" | "leaving" = "stranger";
  #underWay = 0;

  /** `onDropped` is told when the client is disconnected because it does not take what it asked for. */
  constructor(deps: ServeDeps, socket: Socket, onDropped: (why: string) => void) {
    this.#deps = deps;
    this.#socket = socket;
    this.#onDropped = onDropped;
    this.#greeting = deps.clock.timer(HELLO_WITHIN_MS, () => socket.destroy());
    const lines = new LineSplitter(LINE_MAX_BYTES);
    socket.on("data", (chunk: Buffer) => {
      const whole = lines.push(chunk);
      if (whole === undefined) socket.destroy();
      for (const line of whole ?? []) void this.#onLine(line);
    });
    socket.on("error", () => {}); // "close" follows
    socket.once("close", () => void this.#onClose());
  }

  /** Takes no more requests, and ends the connection when those under way are answered. */
  farewell(): void {
    this.#stage = "leaving";
    if (this.#underWay === 0) this.#socket.end();
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#socket.destroy();
  }

  async #onLine(line: string): Promise<void> {
    if (this.#stage === "leaving" || this.#socket.destroyed) return;
    const request = decodeRequest(line);
    if (request === undefined) {
      this.#socket.destroy(); // nobody would know which request an answer is for
      return;
    }
    if (this.#underWay >= REQUESTS_MAX) {
      this.#refuse(request.id, new KfwdError("USAGE", `more than ${REQUESTS_MAX} requests at once`));
      return;
    }
    this.#underWay++;
    try {
      this.#send(encodeLine({ id: request.id, result: await this.#answer(request) }), request.id);
    } catch (thrown) {
      this.#refuse(request.id, this.#explain(request, thrown));
    }
    this.#underWay--;
    if (this.#stage !== "client" && this.#underWay === 0) this.#socket.end();
  }

  async #answer(request: ControlRequest): Promise<object> {
    const { control } = this.#deps;
    if (this.#stage === "stranger") return this.#greet(request);
    switch (request.method) {
      case "ping":
        return {};
      case "status":
        return control.status();
      case "stop":
        return control.stop(parse(stopRequest, request));
      case "plan":
        return control.plan(parse(applyRequest, request));
      case "apply":
        return this.#apply(request);
      case "release":
        return control.release(parse(releaseRequest, request), this.#client);
      case "halt":
        return control.halt(parse(haltRequest, request));
      case "start":
        return control.start(parse(namesRequest, request));
      case "restart":
        return control.restart(parse(namesRequest, request));
      case "follow":
        return this.#follow(request.id);
      case "unfollow":
        return this.#unfollow(parse(unfollowRequest, request).follow);
      default:
        throw new KfwdError(
          "VERSION_SKEW",
          `the supervisor (kfwd ${this.#deps.version}) does not know the request "${request.method}"`,
        );
    }
  }

  /** A client that cannot prove that it has read the lock is answered, told nothing, and disconnected. */
  #greet(request: ControlRequest): object {
    const { control, instance, version } = this.#deps;
    const hello = helloRequest.safeParse(request.params);
    if (request.method !== "hello" || !hello.success)
      throw new KfwdError("USAGE", "the first request must be a hello");
    const { challenge, proof } = hello.data;
    if (!isProof(proof, instance, "client", challenge))
      throw new KfwdError("OWNER_UNPROVEN", "the proof of the hello is of another lock");
    this.#stage = "client";
    this.#greeting[Symbol.dispose]();
    const { drainLeftMs } = control;
    return {
      protocol: PROTOCOL,
      version,
      pid: process.pid,
      proof: prove(instance, "server", challenge),
      ...(drainLeftMs !== undefined && { drainLeftMs }),
    };
  }

  #apply(request: ControlRequest): Promise<object> {
    const wanted = parse(applyRequest, request);
    this.#client.pid ??= wanted.ownerPid ?? null;
    const client: Client = this.#client;
    return this.#deps.control.apply(wanted, client);
  }

  async #follow(id: number): Promise<object> {
    const following = await this.#deps.control.follow((event) => this.#send(encodeLine({ id, event }), id));
    await this.#unfollow(id); // of an id used twice, the second counts
    if (this.#socket.destroyed) await following[Symbol.asyncDispose]();
    else this.#followed.set(id, following);
    return {};
  }

  async #unfollow(id: number): Promise<object> {
    const following = this.#followed.get(id);
    this.#followed.delete(id);
    await following?.[Symbol.asyncDispose]();
    return {};
  }

  #explain(request: ControlRequest, thrown: unknown): KfwdError {
    const error = KfwdError.from(thrown);
    if (error.code === "INTERNAL") {
      const stack = thrown instanceof Error ? thrown.stack : String(thrown);
      this.#deps.log.error("control.failed", { method: request.method, error: stack });
    }
    return error;
  }

  #refuse(id: number, error: KfwdError): void {
    this.#send(encodeLine({ id, error: error.toRecord() }), id);
  }

  #send(line: string, id: number): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    const bytes = Buffer.byteLength(line);
    if (bytes > LINE_MAX_BYTES) {
      this.#refuse(id, new KfwdError("INTERNAL", `an answer of ${bytes} bytes is too long to send`));
      return;
    }
    if (this.#socket.writableLength + bytes > OUTBOUND_MAX_BYTES) {
      this.#onDropped("it does not read what it asked for");
      this.#socket.destroy();
      return;
    }
    this.#socket.write(line);
  }

  async #onClose(): Promise<void> {
    this.#greeting[Symbol.dispose]();
    this.#closed.abort();
    try {
      for (const id of this.#followed.keys()) await this.#unfollow(id);
    } catch (thrown) {
      this.#deps.log.error("control.unfollow", { error: KfwdError.from(thrown).message });
    }
  }
}

/** What a later version may ask and this one does not understand is refused as a whole. */
function parse<T>(schema: z.ZodMiniType<T>, request: ControlRequest): T {
  const parsed = schema.safeParse(request.params);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.map(String).join(".");
  const what = field ? `"${field}" of the request "${request.method}"` : `the request "${request.method}"`;
  throw new KfwdError("VERSION_SKEW", `the supervisor does not understand ${what}`);
}
