/** One tunnel from a supervisor: its flows and streams end with it. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import {
  NONCE_BYTES,
  RelayDecoder,
  challengeFrame,
  creditFrame,
  dataHeader,
  droppedFrame,
  endFrame,
  finFrame,
  pongFrame,
  welcomeFrame,
  type ClientFrames,
  type CommonFrames,
  type DropCause,
  type EndCause,
  type FrameTarget,
} from "../runtime/wire/relayframes.ts";
import { RelayOutbox } from "../runtime/wire/relayoutbox.ts";
import { newWindowBudget } from "../runtime/wire/relaywindow.ts";
import { Pacers } from "./pacer.ts";
import type { SessionKey } from "./proof.ts";
import { TcpStream } from "./tcpstream.ts";
import { UdpFlow, WaitingRoom } from "./udpflow.ts";

/** Who has not proven anything by then is shut out. */
const PROOF_MS = 10_000;

/** Somewhat more than a supervisor asks for. */
const FLOWS_MAX = 4_096 + 512;
const STREAMS_MAX = 1_024;

/** The client says something every 5 s. A tunnel that died without a word would keep its flows for ever. */
const SILENCE_MS = 30_000;

/** Of the average buffer of a write. */
const COPY_BELOW_BYTES = 4 * 1024;

export interface SessionEvents {
  /** The client is known and has said something. */
  onHeard(): void;
  onClose(why: string): void;
}

/** Takes over a socket from the pod's own network. */
export class Session implements ClientFrames, CommonFrames {
  readonly #socket: Socket;
  readonly #key: SessionKey;
  readonly #events: SessionEvents;
  readonly #outbox: RelayOutbox;
  readonly #decoder = new RelayDecoder({ to: "client", sink: this });
  readonly #nonce = randomBytes(NONCE_BYTES);
  readonly #flows = new Map<number, { readonly flow: UdpFlow; readonly target: string }>();
  readonly #pacers = new Pacers();
  readonly #room = new WaitingRoom();
  readonly #streams = new Map<number, TcpStream>();
  readonly #budget = newWindowBudget();
  #deadline: NodeJS.Timeout;
  #heardMs = performance.now();
  /** Told with the next write. */
  readonly #drops = new Map<string, Drop>();
  #stage: "unproven" | "open" | "closed" = "unproven";

  constructor(socket: Socket, key: SessionKey, events: SessionEvents) {
    this.#socket = socket;
    this.#key = key;
    this.#events = events;
    this.#outbox = new RelayOutbox(
      {
        write: (batch) => this.#write(batch),
        onDropped: (id, count) => this.#drop(id, "full", count),
        onOverflow: () => this.close("the client does not read"),
      },
      { now: () => performance.now(), soon: setImmediate, after: (ms, flush) => void setTimeout(flush, ms) },
    );
    this.#deadline = setTimeout(() => this.close("no proof came"), PROOF_MS);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("error", () => {}); // `close` follows
    socket.on("end", () => this.close("the client left"));
    socket.on("close", () => this.close("the client is gone"));
    socket.write(challengeFrame(this.#nonce));
  }

  get proven(): boolean {
    return this.#stage === "open";
  }

  /** How long the client has said nothing. */
  get silentMs(): number {
    return performance.now() - this.#heardMs;
  }

  close(why: string): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    clearTimeout(this.#deadline);
    this.#outbox.close();
    for (const { flow } of this.#flows.values()) flow.close();
    for (const stream of this.#streams.values()) stream.giveUp();
    this.#flows.clear();
    this.#streams.clear();
    this.#socket.destroy();
    this.#events.onClose(why);
  }

  onHello(nonce: Buffer, signature: Buffer): void {
    if (this.#stage !== "unproven") throw new Error("a second proof");
    if (!this.#key.proves(signature, this.#nonce, nonce)) throw new Error("a proof with another key");
    this.#stage = "open";
    this.#watch();
    this.#outbox.frame(welcomeFrame(this.#key.answer(this.#nonce, nonce)));
  }

  onPing(): void {
    this.#known();
    this.#outbox.frame(pongFrame());
  }

  onPong(): void {
    this.#known();
  }

  onFlow(id: number, target: FrameTarget): void {
    this.#known();
    this.#unused(id);
    if (this.#flows.size >= FLOWS_MAX) {
      this.#outbox.frame(endFrame(id, "limit", `${FLOWS_MAX} flows`));
      return;
    }
    const key = `${target.host} ${target.port}`;
    const flow = new UdpFlow(
      target,
      { pacer: this.#pacers.join(key), room: this.#room },
      {
        onDatagram: (datagram) => this.#outbox.datagram(id, datagram),
        onDropped: (why) => this.#drop(id, why, 1),
        onFailed: (why, words) => {
          this.#forgetFlow(id);
          this.#tellDrops();
          this.#outbox.frame(endFrame(id, why, words));
        },
      },
    );
    this.#flows.set(id, { flow, target: key });
  }

  onDatagram(id: number, datagram: Buffer): void {
    this.#known();
    const known = this.#flows.get(id);
    if (known) known.flow.send(datagram);
    else this.#drop(id, "refused", 1); // it failed, and the client has not read that yet
  }

  onStream(id: number, target: FrameTarget): void {
    this.#known();
    this.#unused(id);
    if (this.#streams.size >= STREAMS_MAX) {
      this.#outbox.frame(endFrame(id, "limit", `${STREAMS_MAX} connections`));
      return;
    }
    const stream = new TcpStream(target, this.#budget, {
      onData: (part) => this.#outbox.frame(dataHeader(id, part.length), part),
      onFin: () => this.#outbox.frame(finFrame(id)),
      onCredit: (bytes) => this.#outbox.frame(creditFrame(id, bytes)),
      onBroken: (why, words) => this.#outbox.frame(endFrame(id, why, words)),
      onClosed: () => void this.#streams.delete(id),
    });
    this.#streams.set(id, stream);
    if (this.#outbox.blocked) stream.block();
  }

  onData(id: number, part: Buffer): void {
    this.#known();
    if (this.#streams.get(id)?.write(part) === false) throw new Error("more than the window of a stream");
  }

  onFin(id: number): void {
    this.#known();
    this.#streams.get(id)?.end();
  }

  onCredit(id: number, bytes: number): void {
    this.#known();
    this.#streams.get(id)?.addCredit(bytes);
  }

  onEnd(id: number, _why: EndCause, _words: string): void {
    this.#known();
    this.#flows.get(id)?.flow.close();
    this.#forgetFlow(id);
    this.#outbox.forget(id);
    this.#streams.get(id)?.giveUp();
  }

  /** Throws before anything was done for somebody who has proven nothing. */
  #known(): void {
    if (this.#stage !== "open") throw new Error("no proof came first");
  }

  #forgetFlow(id: number): void {
    const known = this.#flows.get(id);
    if (known === undefined) return;
    this.#flows.delete(id);
    this.#pacers.leave(known.target);
  }

  #unused(id: number): void {
    if (this.#flows.has(id) || this.#streams.has(id)) throw new Error(`id ${id} twice`);
  }

  #read(chunk: Buffer): void {
    if (this.#stage === "closed") return;
    try {
      this.#decoder.push(chunk); // in memory of its own, which nobody writes to again
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#heardMs = performance.now();
    if (this.#stage === "open") this.#events.onHeard();
  }

  #watch(): void {
    clearTimeout(this.#deadline);
    // What has come while this process could not run is read first.
    const look = (): void => {
      if (this.#stage === "closed") return;
      if (this.silentMs >= SILENCE_MS) this.close("the client is silent");
      else this.#watch();
    };
    this.#deadline = setTimeout(() => setImmediate(look), SILENCE_MS - this.silentMs);
  }

  #write(batch: readonly Buffer[]): boolean {
    const drops = [...this.#drops.values()].map(({ id, count, why }) => droppedFrame(id, count, why));
    this.#drops.clear();
    const takes = this.#send(drops.length === 0 ? batch : [...batch, ...drops]);
    if (!takes) for (const stream of this.#streams.values()) stream.block();
    return takes;
  }

  /** Small ones are joined, large ones go out as they are: one system call in either case. */
  #send(batch: readonly Buffer[]): boolean {
    const bytes = batch.reduce((sum, { length }) => sum + length, 0);
    if (bytes < batch.length * COPY_BELOW_BYTES) return this.#socket.write(Buffer.concat(batch));
    this.#socket.cork();
    let takes = true;
    for (const part of batch) takes = this.#socket.write(part);
    this.#socket.uncork();
    return takes;
  }

  #onDrain(): void {
    this.#outbox.onDrain();
    if (this.#outbox.blocked) return;
    for (const stream of this.#streams.values()) stream.unblock();
  }

  #drop(id: number, why: DropCause, count: number): void {
    const key = `${id} ${why}`;
    const drop = this.#drops.get(key);
    if (drop) drop.count += count;
    else this.#drops.set(key, { id, why, count });
    if (drop === undefined) setImmediate(() => this.#tellDrops());
  }

  /** Together with whatever else leaves; alone if nothing does. */
  #tellDrops(): void {
    if (this.#drops.size === 0 || this.#stage !== "open" || this.#outbox.blocked) return;
    const frames = [...this.#drops.values()].map(({ id, count, why }) => droppedFrame(id, count, why));
    this.#drops.clear();
    for (const frame of frames) this.#outbox.frame(frame);
  }
}

interface Drop {
  readonly id: number;
  readonly why: DropCause;
  count: number;
}
