/** The datagrams of one UDP forward: each client has a flow of its own to the endpoint, through the relay. */
import { FlowTable } from "../core/flowtable.ts";
import type { DatagramTraffic, DroppedDatagrams, Reason } from "../core/status.ts";
import type { Clock, Flow, UdpClient, UdpListener } from "../deps.ts";
import type { Way } from "./route.ts";

/**
 * While there is no way, so much is kept, so long: enough for what asks while a pod starts, and no more, since who sends
 * datagrams has stopped waiting for the answer to an old one. The oldest go first.
 */
const KEEP_MAX = 64;
const KEEP_MAX_BYTES = 256 * 1024;
const KEEP_MS = 2_000;

/** A client and its way; `way` is undefined once the relay has forgotten the flow. */
interface Talk {
  readonly client: UdpClient;
  way: Way | undefined;
  flow: Flow | undefined;
}

interface Kept {
  readonly datagram: Buffer;
  readonly client: UdpClient;
  readonly atMs: number;
}

type Why = keyof DroppedDatagrams;

/** Told when datagrams are lost for a reason that a user may want to know. */
export type OnTrouble = (reason: Reason) => void;

/** What becomes of datagrams while there is no way. */
export type WhenUnavailable = "keep" | "drop";

/** Datagrams are passed on, or dropped and counted; nothing here ever waits. */
export class Datagrams implements Disposable {
  readonly #clock: Clock;
  readonly #onTrouble: OnTrouble;
  readonly #whenUnavailable: WhenUnavailable;
  readonly #talks = new FlowTable<Talk>();
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  #way: Way | undefined;
  #stage: "running" | "over" = "running";
  #sweeper: Disposable | undefined;
  #listener: Pick<UdpListener, "drops"> | undefined;
  #crowdedOut = 0;
  readonly #count = { in: 0, out: 0, bytesIn: 0, bytesOut: 0 };
  readonly #dropped = { notReady: 0, full: 0, refused: 0, tooLarge: 0, unresolved: 0 };

  constructor(clock: Clock, whenUnavailable: WhenUnavailable, onTrouble: OnTrouble) {
    this.#clock = clock;
    this.#whenUnavailable = whenUnavailable;
    this.#onTrouble = onTrouble;
  }

  /** Payload bytes, as {@link Traffic} counts them. */
  get bytes(): { readonly bytesIn: number; readonly bytesOut: number } {
    return this.#count;
  }

  get traffic(): DatagramTraffic {
    const { received = 0, sent = 0 } = this.#listener?.drops ?? {};
    const dropped = { ...this.#dropped, received, sent };
    return {
      flows: this.#talks.size,
      crowdedOut: this.#crowdedOut,
      in: this.#count.in,
      out: this.#count.out,
      dropped,
    };
  }

  /** Counts what the sockets drop from now on. */
  count(listener: Pick<UdpListener, "drops">): void {
    this.#listener = listener;
  }

  /** Leads there from now on: a flow that led elsewhere is replaced with its client's next datagram. */
  open(way: Way): void {
    if (this.#stage === "over" || this.#way === way) return;
    this.#way = way;
    this.#keptBytes = 0;
    for (const { datagram, client, atMs } of this.#kept.splice(0)) {
      if (this.#clock.now() - atMs > KEEP_MS) this.#dropped.notReady++;
      else this.#pass(datagram, client, way);
    }
  }

  /** Nothing is ready. */
  shut(): void {
    this.#way = undefined;
  }

  /** Ends all flows; a client's next datagram begins a new one. */
  reset(): void {
    this.#sweeper?.[Symbol.dispose]();
    this.#sweeper = undefined;
    for (const { flow } of this.#talks.clear()) flow?.[Symbol.dispose]();
  }

  /** Takes what a client sent; memory is lent for the call. */
  readonly take = (datagram: Buffer, client: UdpClient): void => {
    if (this.#stage === "over") return;
    if (this.#way) this.#pass(datagram, client, this.#way);
    else if (this.#whenUnavailable === "keep") this.#keep(datagram, client);
    else this.#dropped.notReady++;
  };

  /** Ends all flows. */
  [Symbol.dispose](): void {
    this.#stage = "over";
    this.#way = undefined;
    this.reset();
    this.#dropped.notReady += this.#kept.splice(0).length;
  }

  #pass(datagram: Buffer, client: UdpClient, way: Way): void {
    const talk = this.#talkOf(client, way);
    if (talk.flow === undefined || talk.way !== way) {
      talk.flow?.[Symbol.dispose]();
      talk.way = way;
      talk.flow = way.flow(this.#handler(talk));
    }
    if (talk.flow?.send(datagram) !== true) {
      this.#dropped.full++;
      return;
    }
    this.#count.out++;
    this.#count.bytesOut += datagram.length;
  }

  #talkOf(client: UdpClient, way: Way): Talk {
    const nowMs = this.#clock.now();
    const known = this.#talks.use(client.key, nowMs);
    if (known) return known;
    const talk: Talk = { client, way: undefined, flow: undefined };
    const over = this.#talks.add(client.key, talk, way.endpoint.port, nowMs);
    for (const { flow } of over) flow?.[Symbol.dispose]();
    this.#crowdOut(over.filter(({ flow }) => flow).length, way);
    if (this.#sweeper === undefined) this.#sweepLater(nowMs);
    return talk;
  }

  #handler(talk: Talk): Parameters<Way["flow"]>[0] {
    return {
      onDatagram: (datagram) => {
        this.#talks.answered(talk.client.key, this.#clock.now());
        this.#count.in++;
        this.#count.bytesIn += datagram.length;
        talk.client.send(datagram);
      },
      onDropped: (count, why) => this.#drop(count, why, talk.way),
      onEnd: (why) => {
        talk.flow = undefined;
        if (why === "crowded") this.#crowdOut(1, talk.way);
      },
    };
  }

  #crowdOut(count: number, way: Way | undefined): void {
    if (count === 0 || way === undefined) return;
    this.#crowdedOut += count;
    const { pod, port } = way.endpoint;
    const message = `too many clients at once for ${pod}:${port}: those that are quiet for longest lose their place`;
    this.#onTrouble({ code: "TooManyFlows", kind: "transient", message });
  }

  #drop(count: number, why: Exclude<Why, "notReady" | "received" | "sent">, way: Way | undefined): void {
    this.#dropped[why] += count;
    if (way === undefined || why === "full") return;
    const { pod, port } = way.endpoint;
    this.#onTrouble(troubleOf(why, `${pod}:${port}`));
  }

  #keep(datagram: Buffer, client: UdpClient): void {
    if (datagram.length > KEEP_MAX_BYTES) return;
    this.#kept.push({ datagram: Buffer.from(datagram), client, atMs: this.#clock.now() });
    this.#keptBytes += datagram.length;
    while (this.#kept.length > KEEP_MAX || this.#keptBytes > KEEP_MAX_BYTES) {
      const oldest = this.#kept.shift();
      this.#keptBytes -= oldest?.datagram.length ?? 0;
      this.#dropped.notReady++;
    }
  }

  #sweepLater(nowMs: number): void {
    const atMs = this.#talks.sweepAtMs(nowMs);
    this.#sweeper =
      atMs === undefined ? undefined : this.#clock.timer(atMs - nowMs, () => this.#sweep(this.#clock.now()));
  }

  #sweep(nowMs: number): void {
    for (const { flow } of this.#talks.sweep(nowMs)) flow?.[Symbol.dispose]();
    this.#sweepLater(nowMs);
  }
}

function troubleOf(why: "refused" | "tooLarge" | "unresolved", target: string): Reason {
  switch (why) {
    case "refused":
      return {
        code: "DatagramRefused",
        kind: "transient",
        message: `nothing listens for datagrams on ${target}`,
      };
    case "tooLarge":
      return {
        code: "DatagramTooLarge",
        kind: "transient",
        message: `a datagram is too large for the way to ${target}`,
      };
    case "unresolved":
      return {
        code: "HostUnresolved",
        kind: "missing",
        message: `the relay cannot resolve the name of ${target}`,
      };
  }
}
