/** One accepted TCP client: what it sends is kept until a pod stream carries it, then bytes go both ways. */
import type { Socket } from "node:net";
import type {
  CarryEnd,
  Clock,
  Connection,
  PodStream,
  StreamEnd,
  StreamEnds,
  StreamHandler,
} from "../deps.ts";
import { Burst } from "./burst.ts";
import type { ClientEnds, SocketAddress } from "./clientend.ts";
import { readInto } from "./clientsocket.ts";

/** How much of a client's first bytes is read ahead, and kept so that a refused stream can be tried again. */
const KEEP_MAX_BYTES = 64 * 1024;

/**
 * The runtime cuts the answer one second after our FIN, so a client's half-close is passed on only when the pod has
 * been quiet for this long.
 */
const FIN_LINGER_MS = 5_000;

/** The same when the client never sent a byte: it asked for nothing, so nothing long can be due. */
const FIN_LINGER_SILENT_MS = 500;

/**
 * For so long the runtime keeps the pod's FIN. An end within this time after the last byte most likely was made with that
 * byte; a server that closes an idle connection has waited longer.
 */
const LATE_END_MS: readonly [number, number] = [900, 1_500];

/** How often a half-closed client is looked at again: it may have got what it wanted, and left. */
const LOOK_AGAIN_MS = 500;

/** How long the client may take to close its side after the pod has closed and everything was delivered. */
const CLOSE_LINGER_MS = 30_000;

/** The same of the pod, after a client that is gone. */
const LEFT_LINGER_MS = 30_000;

/** Shared: bytes come in bursts, one connection to the cluster after the other. */
const burst = new Burst();

/** Why waits for a client end; made once, since an abort without a reason makes an error with a stack each time. */
const CLIENT_LEFT = new Error("the client has left");

/** Who has the client's bytes now. `left`: the client is gone, and the stream has what it sent to deliver yet. */
type Stage = { readonly kind: "kept" | "over" } | Carried;

interface Carried {
  readonly kind: "carried" | "left";
  readonly stream: PodStream;
  readonly ends: StreamEnds;
  readonly finish: (end: StreamEnd) => void;
}

/** Takes over a socket that was accepted with `allowHalfOpen` and `pauseOnConnect`. */
export class ClientConnection implements Connection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #clientEnds: ClientEnds;
  readonly #closed = new AbortController();
  readonly #traffic = { bytesIn: 0, bytesOut: 0 };
  #stage: Stage = { kind: "kept" };
  /** The client's first bytes, whole, until the pod answers; undefined from then on or when there were too many. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #clientEnd: "open" | "ended" | "gone" = "open";
  #finTimer: Disposable | undefined;
  #lastAnswerMs = 0;
  #podEnd: "open" | "ended" | "endedLate" = "open";

  constructor(accepted: Socket, clock: Clock, clientEnds: ClientEnds) {
    const socket = readInto(accepted, (chunk, headroom) => this.#onClientData(chunk, headroom));
    this.#socket = socket;
    this.#clock = clock;
    this.#clientEnds = clientEnds;
    socket.on("end", () => this.#onClientEnd());
    socket.on("drain", () => this.#stage.kind === "carried" && this.#stage.stream.resume());
    socket.on("error", () => {}); // "close" follows and says all we need
    socket.on("close", (hadError) => this.#onClientClosed(hadError ? "broken" : "inOrder"));
    socket.resume();
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get traffic(): { readonly bytesIn: number; readonly bytesOut: number } {
    return this.#traffic;
  }

  async carry(open: (handler: StreamHandler) => Promise<PodStream>, ends: StreamEnds): Promise<CarryEnd> {
    let finish: (end: StreamEnd) => void = () => {};
    const finished = new Promise<StreamEnd>((resolve) => (finish = resolve));
    const stream = await open(this.#handler(finish));
    if (this.#closed.signal.aborted) {
      stream.abort();
      return { end: { kind: "done" }, replayable: false };
    }
    const carried = { kind: "carried", stream, ends, finish } as const;
    this.#stage = carried;
    this.#sendKept(carried);
    const end = await finished;
    return this.#afterCarry(end);
  }

  reset(): void {
    if (this.#stage.kind === "left") this.#giveUp(this.#stage);
    burst.send(this.#write); // what came before the reset may be read before it
    const isEnding = this.#socket.writableEnded && !this.#socket.writableFinished;
    if (isEnding) this.#socket.destroy(); // Node cannot reset it then, and would leave it open for good
    else this.#socket.resetAndDestroy();
    if (this.#clientEnd === "gone") this.#closed.abort(CLIENT_LEFT); // which its socket has told already, to nobody
  }

  #handler(finish: (end: StreamEnd) => void): StreamHandler {
    return {
      onData: (chunk) => {
        if (this.#stage.kind === "left") return "taken";
        this.#kept = undefined;
        this.#lastAnswerMs = this.#clock.now();
        this.#traffic.bytesIn += chunk.length;
        return burst.add(chunk, this.#write);
      },
      onEnd: () => {
        this.#kept = undefined;
        burst.send(this.#write);
        this.#podEnd = this.#isLateEnd() ? "endedLate" : "ended";
        this.#socket.end();
        if (this.#stage.kind === "carried" && this.#stage.ends === "keeps") return;
        if (this.#stage.kind === "carried") this.#stage.stream.end(); // frees the stream on the server at once
        this.#socket.resume(); // what the client still sends has nowhere to go
      },
      onDrain: () => void this.#socket.resume(),
      onClose: finish,
    };
  }

  readonly #write = (bytes: Buffer): "taken" | "kept" => {
    if (!this.#socket.write(bytes) && this.#stage.kind === "carried") this.#stage.stream.pause();
    return this.#socket.writableLength > 0 ? "kept" : "taken";
  };

  #sendKept(carried: Carried): void {
    for (const chunk of this.#kept ?? []) carried.stream.write(chunk, 0);
    this.#traffic.bytesOut += this.#keptBytes;
    if (this.#clientEnd === "gone") this.#leave(carried);
    else if (this.#clientEnd === "ended") this.#passFin(carried);
    else this.#socket.resume();
  }

  #onClientData(chunk: Buffer, headroom: number): void {
    if (this.#kept) this.#keep(headroom > 0 ? Buffer.from(chunk) : chunk);
    if (this.#stage.kind === "carried") {
      this.#traffic.bytesOut += chunk.length;
      if (!this.#stage.stream.write(chunk, headroom)) this.#socket.pause();
    } else if (this.#stage.kind === "kept" && this.#keptBytes >= KEEP_MAX_BYTES) {
      this.#socket.pause();
    }
  }

  #keep(chunk: Buffer): void {
    const waiting = this.#stage.kind === "kept";
    // While a stream carries them the bytes are kept only for a replay: give that up rather than hold more.
    if (!waiting && this.#keptBytes + chunk.length > KEEP_MAX_BYTES) {
      this.#kept = undefined;
      return;
    }
    this.#kept?.push(chunk);
    this.#keptBytes += chunk.length;
  }

  #onClientEnd(): void {
    // Node 20 takes a reset that comes with data for an end. Then the socket has no peer any more, and since Node
    // remembers the peer's address once it was asked for, nobody may have asked before. Nor has it one when both ended.
    if (this.#podEnd === "open" && this.#socket.remotePort === undefined) {
      this.#socket.destroy();
      return;
    }
    this.#clientEnd = "ended";
    if (this.#stage.kind === "carried") this.#passFin(this.#stage);
  }

  #passFin(carried: Carried): void {
    if (carried.ends === "keeps") carried.stream.end();
    else void this.#holdFin();
  }

  /** Passes the client's FIN on: at once if nobody will read the answer, else when the pod has been quiet. */
  async #holdFin(): Promise<void> {
    const lingerMs = this.#traffic.bytesOut === 0 ? FIN_LINGER_SILENT_MS : FIN_LINGER_MS;
    this.#lastAnswerMs = Math.max(this.#lastAnswerMs, this.#clock.now());
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    const client: SocketAddress = { address: remoteAddress ?? "", port: remotePort ?? 0 };
    const here: SocketAddress = { address: localAddress ?? "", port: localPort ?? 0 };
    for (;;) {
      const end = await this.#clientEnds(client, here);
      if (this.#stage.kind !== "carried") return;
      const quietMs = this.#clock.now() - this.#lastAnswerMs;
      if (end === "gone") {
        this.#leave(this.#stage);
        return;
      }
      if (quietMs >= lingerMs) {
        this.#stage.stream.end();
        return;
      }
      const waitMs = lingerMs - quietMs;
      await this.#pause(end === "reading" ? Math.min(LOOK_AGAIN_MS, waitMs) : waitMs);
    }
  }

  /** Nobody will read: the socket is let go at once, while the stream takes as long as the pod does. */
  #leave({ stream, ends, finish }: Carried): void {
    const left = { kind: "left", stream, ends, finish } as const;
    this.#stage = left;
    this.#clientEnd = "gone";
    stream.end();
    stream.resume();
    this.#finTimer = this.#clock.timer(LEFT_LINGER_MS, () => this.#giveUp(left));
    this.#socket.destroy();
  }

  #giveUp({ stream, finish }: Carried): void {
    stream.abort();
    finish({ kind: "done" });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => (this.#finTimer = this.#clock.timer(ms, resolve)));
  }

  #onClientClosed(how: "inOrder" | "broken"): void {
    if (this.#clientEnd === "gone") return;
    this.#finTimer?.[Symbol.dispose]();
    if (this.#stage.kind === "carried") {
      // Both have ended, but what the client sent may not have arrived yet.
      if (how === "inOrder" && this.#clientEnd === "ended" && this.#stage.ends === "keeps") {
        this.#leave(this.#stage);
        return;
      }
      this.#giveUp(this.#stage);
    }
    this.#closed.abort(CLIENT_LEFT);
  }

  #isLateEnd(): boolean {
    if (this.#clientEnd !== "open" || this.#traffic.bytesIn === 0) return false;
    const quietMs = this.#clock.now() - this.#lastAnswerMs;
    return quietMs >= LATE_END_MS[0] && quietMs <= LATE_END_MS[1];
  }

  #afterCarry(end: StreamEnd): CarryEnd {
    this.#finTimer?.[Symbol.dispose]();
    const left = this.#clientEnd === "gone";
    const here = left || !this.#closed.signal.aborted;
    const untouched = this.#kept !== undefined;
    const replayable =
      here && untouched && (end.kind === "refused" || (end.kind === "lost" && this.#keptBytes === 0));
    if (replayable) {
      this.#traffic.bytesOut -= this.#keptBytes;
      this.#stage = { kind: "kept" };
      return { end, replayable };
    }
    this.#stage = { kind: "over" };
    this.#kept = undefined;
    if (left) this.#closed.abort(CLIENT_LEFT);
    else if (end.kind === "done" && here) this.#closeGently();
    return { end, replayable, ...(this.#podEnd === "endedLate" && { lateEnd: true }) };
  }

  /** Destroying a socket with unread bytes would reset it, and the client would lose the tail of its answer. */
  #closeGently(): void {
    const socket = this.#socket;
    burst.send(this.#write);
    let overdue: Disposable | undefined;
    socket.end();
    socket.resume();
    const onDelivered = (): void => {
      overdue = this.#clock.timer(CLOSE_LINGER_MS, () => socket.destroy());
    };
    if (socket.writableFinished) onDelivered();
    else socket.once("finish", onDelivered); // for as long as the client reads on
    socket.once("close", () => overdue?.[Symbol.dispose]());
  }
}
