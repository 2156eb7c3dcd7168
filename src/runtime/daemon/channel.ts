/** One connection to a supervisor's socket: requests go out, answers and events come in. */
import type { Socket } from "node:net";
import { KfwdError } from "../../errors.ts";
import { decodeReply, encodeLine, LINE_MAX_BYTES, type Method } from "../wire/control.ts";
import { LineSplitter } from "../wire/lines.ts";

interface Pending {
  readonly method: Method;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: KfwdError) => void;
}

/** Takes over a connected socket; disposing destroys it. */
export class ControlChannel implements Disposable {
  /** Aborted, with a KfwdError as its reason, when the connection is over for whatever cause. */
  readonly closed: AbortSignal;
  readonly #socket: Socket;
  readonly #ended = new AbortController();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<number, (event: unknown) => void>();
  #lastId = 0;

  constructor(socket: Socket) {
    this.closed = this.#ended.signal;
    this.#socket = socket;
    const lines = new LineSplitter(LINE_MAX_BYTES);
    socket.on("data", (chunk: Buffer) => {
      const whole = lines.push(chunk);
      if (whole === undefined) socket.destroy();
      for (const line of whole ?? []) this.#onLine(line);
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#end());
  }

  /** The id that the next {@link request} gets. */
  get nextId(): number {
    return this.#lastId + 1;
  }

  /**
   * Resolves with the answer, whose shape nobody has checked yet.
   * @throws the supervisor's KfwdError, or `UNRESPONSIVE` when the connection ends first.
   */
  request(method: Method, params?: object): Promise<unknown> {
    const id = ++this.#lastId;
    const line = encodeLine(params === undefined ? { id, method } : { id, method, params });
    if (Buffer.byteLength(line) > LINE_MAX_BYTES)
      return Promise.reject(new KfwdError("INTERNAL", `cannot send "${method}": the message is over 1 MiB`));
    return new Promise((resolve, reject) => {
      if (this.closed.aborted) {
        reject(brokenOff(method));
        return;
      }
      this.#pending.set(id, { method, resolve, reject });
      this.#socket.write(line);
    });
  }

  /** Calls `listener` for each event of the request with this id, until the result is disposed. */
  listen(id: number, listener: (event: unknown) => void): Disposable {
    this.#listeners.set(id, listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(id) };
  }

  /** Whether this connection by itself keeps the process alive; at first it does. */
  hold(process: "keepsAlive" | "idle"): void {
    if (process === "idle") this.#socket.unref();
    else this.#socket.ref();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#end();
  }

  #onLine(line: string): void {
    const reply = decodeReply(line);
    if (reply === undefined) {
      this.#socket.destroy(); // whoever says this does not speak our protocol
      return;
    }
    if (reply.kind === "event") {
      this.#listeners.get(reply.id)?.(reply.event);
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.kind === "error") pending?.reject(KfwdError.fromRecord(reply.error));
    else pending?.resolve(reply.result);
  }

  #end(): void {
    if (this.closed.aborted) return;
    this.#ended.abort(
      new KfwdError("UNRESPONSIVE", "the supervisor closed the connection", { hint: "kfwd status" }),
    );
    for (const { method, reject } of this.#pending.values()) reject(brokenOff(method));
    this.#pending.clear();
    this.#listeners.clear();
  }
}

function brokenOff(method: Method): KfwdError {
  return new KfwdError(
    "UNRESPONSIVE",
    `the supervisor closed the connection before it answered "${method}"`,
    {
      hint: "kfwd status",
    },
  );
}
