/** The flows of all forwards that go through one relay: where they are too many, who has most of them makes room. */
import type { Flow, FlowHandler, RelayTarget } from "../deps.ts";

/** Somewhat fewer than a relay takes, as the end of one and the beginning of another may cross on the way. */
const SHARED_FLOWS_MAX = 4_096;

/** Begins a flow on the relay of the moment; undefined where there is none. */
export type BeginFlow = (target: RelayTarget, handler: FlowHandler) => Flow | undefined;

/** The flows of one forward. Disposing ends them, and tells nobody. */
export interface FlowShare extends Disposable {
  flow(target: RelayTarget, handler: FlowHandler): Flow;
}

/** Of one relay, whichever pod that is. */
export class RelayFlows {
  readonly #begin: BeginFlow;
  readonly #max: number;
  readonly #shares = new Set<Set<SharedFlow>>();

  constructor(begin: BeginFlow, max = SHARED_FLOWS_MAX) {
    this.#begin = begin;
    this.#max = max;
  }

  share(): FlowShare {
    /** Those that the relay knows, the quietest first. */
    const open = new Set<SharedFlow>();
    this.#shares.add(open);
    return {
      flow: (target, handler) =>
        new SharedFlow(handler, open, (inner) => {
          this.#makeRoomFor(open);
          return this.#begin(target, inner);
        }),
      [Symbol.dispose]: () => {
        this.#shares.delete(open);
        for (const flow of open) flow[Symbol.dispose]();
      },
    };
  }

  /** Of the largest share the quietest flow goes, so each forward keeps what it needs up to an equal part. */
  #makeRoomFor(newcomer: Set<SharedFlow>): void {
    const shares = [...this.#shares];
    if (shares.reduce((sum, { size }) => sum + size, 0) < this.#max) return;
    const largest = shares.reduce((most, share) => (share.size > most.size ? share : most), newcomer);
    const [quietest] = largest;
    quietest?.giveWay();
  }
}

/** Begins with its first datagram, on the relay of that moment. */
class SharedFlow implements Flow {
  readonly #handler: FlowHandler;
  readonly #open: Set<SharedFlow>;
  readonly #begin: (handler: FlowHandler) => Flow | undefined;
  #inner: Flow | undefined;
  #stage: "fresh" | "open" | "over" = "fresh";

  constructor(
    handler: FlowHandler,
    open: Set<SharedFlow>,
    begin: (handler: FlowHandler) => Flow | undefined,
  ) {
    this.#handler = handler;
    this.#open = open;
    this.#begin = begin;
  }

  #listening(): FlowHandler {
    return {
      onDatagram: (answer) => {
        this.#touch();
        this.#handler.onDatagram(answer);
      },
      onDropped: (count, why) => this.#handler.onDropped(count, why),
      onEnd: (why) => this.#end(why),
    };
  }

  send(datagram: Buffer): boolean {
    if (this.#stage === "fresh") {
      this.#inner = this.#begin(this.#listening());
      if (this.#inner) this.#stage = "open";
    }
    if (this.#stage === "open") this.#touch();
    return this.#inner?.send(datagram) ?? false;
  }

  /** Another one needs its place. */
  giveWay(): void {
    this.#inner?.[Symbol.dispose]();
    this.#end("crowded");
  }

  [Symbol.dispose](): void {
    this.#stage = "over";
    this.#inner?.[Symbol.dispose]();
    this.#open.delete(this);
  }

  #end(why: "crowded" | undefined): void {
    this.#stage = "over";
    this.#open.delete(this);
    this.#handler.onEnd(why);
  }

  #touch(): void {
    if (this.#stage !== "open") return;
    this.#open.delete(this);
    this.#open.add(this);
  }
}
