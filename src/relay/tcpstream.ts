/** One TCP connection to a target. It is read only as far as the client lets it, so it holds up no other. */
import { connect, type Socket } from "node:net";
import { guardedLookup, REFUSED_ADDRESS } from "./lookup.ts";
import type { EndCause, FrameTarget } from "../runtime/wire/relayframes.ts";
import { ReceiveWindow, SendWindow, type WindowBudget } from "../runtime/wire/relaywindow.ts";

/** As long as a client of the supervisor is held. */
const CONNECT_MS = 10_000;

export interface TcpEvents {
  /** Bytes to send on; a view that does not change any more. */
  onData(part: Buffer): void;
  onFin(): void;
  /** The client may send so many more. */
  onCredit(bytes: number): void;
  /** Broken off; `onClosed` follows. */
  onBroken(why: EndCause, words: string): void;
  /** The last call. */
  onClosed(): void;
}

/** Dials at once; bytes may follow at once, as far as the first window goes. */
export class TcpStream {
  readonly #events: TcpEvents;
  readonly #socket: Socket;
  readonly #send = new SendWindow();
  readonly #receive: ReceiveWindow;
  readonly #deadline: NodeJS.Timeout;
  /** Read, and beyond the window. */
  #held: Buffer | undefined;
  #state: "connecting" | "open" | "given up" | "closed" = "connecting";
  #theirEnd: "open" | "ended" | "told" = "open";
  #connection: "open" | "closed" = "open";
  /** The tunnel itself takes no more. */
  #tunnel: "flowing" | "blocked" = "flowing";

  constructor({ host, port }: FrameTarget, budget: WindowBudget, events: TcpEvents) {
    this.#events = events;
    this.#receive = new ReceiveWindow(budget);
    this.#socket = connect({ host, port, allowHalfOpen: true, noDelay: true, lookup: guardedLookup });
    this.#deadline = setTimeout(
      () => this.#break("unreachable", `no answer in ${CONNECT_MS / 1000} s`),
      CONNECT_MS,
    );
    this.#socket.on("connect", () => this.#onConnect());
    this.#socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on("end", () => this.#onEnd());
    this.#socket.on("error", (error: NodeJS.ErrnoException) => this.#onError(error));
    this.#socket.on("close", () => this.#onClose());
  }

  /** False: the client sent more than it may. */
  write(part: Buffer): boolean {
    if (!this.#receive.receive(part.length)) return false;
    this.#socket.write(part, (error) => {
      if (error || this.#state === "closed" || this.#state === "given up") return;
      const credit = this.#receive.consume(part.length);
      if (credit > 0) this.#events.onCredit(credit);
    });
    return true;
  }

  /** The client will send no more. */
  end(): void {
    this.#socket.end();
  }

  /** The client wants no more of it. */
  giveUp(): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#state = "given up";
    if (wasOpen) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  addCredit(bytes: number): void {
    this.#send.add(bytes);
    this.#pump();
  }

  /** The tunnel takes no more for now. */
  block(): void {
    this.#tunnel = "blocked";
    this.#socket.pause();
  }

  unblock(): void {
    this.#tunnel = "flowing";
    this.#pump();
  }

  #onConnect(): void {
    clearTimeout(this.#deadline);
    if (this.#state === "connecting") this.#state = "open";
  }

  #onData(chunk: Buffer): void {
    this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    this.#pump();
  }

  /** Sends what is held as far as the window goes, and reads on when nothing is held any more. */
  #pump(): void {
    if (this.#state === "given up" || this.#state === "closed") return;
    while (this.#held !== undefined && this.#send.left > 0) {
      const part = this.#held.subarray(0, Math.min(this.#send.left, PART_MAX_BYTES));
      this.#held = part.length === this.#held.length ? undefined : this.#held.subarray(part.length);
      this.#send.take(part.length);
      this.#events.onData(part);
    }
    if (this.#held !== undefined || this.#tunnel === "blocked") {
      this.#socket.pause();
      return;
    }
    if (this.#theirEnd === "ended") {
      this.#theirEnd = "told";
      this.#events.onFin();
    }
    if (this.#connection === "closed") this.#close();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #onEnd(): void {
    // Node 20 takes a reset that comes with data for an end. Then the socket has no peer any more; nor has it when both
    // directions have ended in order.
    if (!this.#socket.writableEnded && this.#socket.remotePort === undefined) {
      this.#break("reset", "ECONNRESET");
      return;
    }
    this.#theirEnd = "ended";
    this.#pump();
  }

  #onError(error: NodeJS.ErrnoException): void {
    const code = error.code ?? error.message;
    if (this.#state === "connecting") this.#break(CONNECT_FAILURE[code] ?? "unreachable", code);
    else this.#break("reset", code);
  }

  #break(why: EndCause, words: string): void {
    if (this.#state === "given up" || this.#state === "closed") return;
    this.#state = "given up";
    this.#held = undefined;
    this.#events.onBroken(why, words);
    this.#socket.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#deadline);
    this.#connection = "closed";
    // What was read before its end may wait for the window yet.
    if (this.#held === undefined || this.#state !== "open") this.#close();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#receive.close();
    this.#events.onClosed();
  }
}

/** A frame carries no more. */
const PART_MAX_BYTES = 0xffff;

const CONNECT_FAILURE: Readonly<Record<string, EndCause>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "unresolved",
  [REFUSED_ADDRESS]: "unresolved",
  ECONNRESET: "reset",
};
