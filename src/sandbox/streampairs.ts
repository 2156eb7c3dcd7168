import type { StreamPair } from "./portforward.ts";
import type { ServerStream } from "./serverstream.ts";
import type { Timers } from "./timers.ts";

interface Partial {
  data?: ServerStream;
  error?: ServerStream;
  readonly late: Disposable;
}

/**
 * Brings the two streams of a connection together by request id, in whatever order they come, as
 * k8s.io/cri-streaming `portforward/httpstream.go` does.
 */
export class StreamPairs implements Disposable {
  readonly #timers: Timers;
  readonly #pairingMs: number;
  readonly #onPair: (pair: StreamPair) => void;
  readonly #partial = new Map<string, Partial>();

  constructor(timers: Timers, pairingMs: number, onPair: (pair: StreamPair) => void) {
    this.#timers = timers;
    this.#pairingMs = pairingMs;
    this.#onPair = onPair;
  }

  /** Takes a stream whose headers {@link isForwardStream} has found good. */
  add(stream: ServerStream): void {
    const type = stream.headers.get("streamtype") === "data" ? "data" : "error";
    // clients from before request ids number the streams of a connection one after the other, error first
    const requestId = stream.headers.get("requestid") || String(type === "error" ? stream.id : stream.id - 2);
    let pair = this.#partial.get(requestId);
    if (pair === undefined) {
      const late = this.#timers.after(this.#pairingMs, () => this.#giveUp(requestId));
      this.#partial.set(requestId, (pair = { late }));
    }
    if (pair[type] !== undefined) {
      say(pair.error, `error processing stream for request ${requestId}: ${type} stream already assigned`);
      return;
    }
    pair[type] = stream;
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    this.#forget(requestId);
    this.#onPair({ port: Number(data.headers.get("port")), data, error });
  }

  [Symbol.dispose](): void {
    for (const requestId of this.#partial.keys()) this.#forget(requestId);
  }

  #giveUp(requestId: string): void {
    say(this.#partial.get(requestId)?.error, `(request=${requestId}) timed out waiting for streams`);
    this.#forget(requestId);
  }

  #forget(requestId: string): void {
    this.#partial.get(requestId)?.late[Symbol.dispose]();
    this.#partial.delete(requestId);
  }
}

/** Whether the headers make it a stream of a port-forward; otherwise the server resets it. */
export function isForwardStream(headers: ReadonlyMap<string, string>): boolean {
  const port = headers.get("port") ?? "";
  const type = headers.get("streamtype");
  return (
    /^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65535 && (type === "data" || type === "error")
  );
}

function say(error: ServerStream | undefined, text: string): void {
  error?.write(Buffer.from(text));
}
