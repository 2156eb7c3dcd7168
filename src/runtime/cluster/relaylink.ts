/** One relay pod and the tunnels to it: one for datagrams, and one for connections once somebody wants one. */
import { KfwdError } from "../../errors.ts";
import { backoffMs } from "../core/backoff.ts";
import type { Reason } from "../core/status.ts";
import type {
  Clock,
  Flow,
  FlowHandler,
  PodStream,
  Random,
  RelayPod,
  RelayTarget,
  StreamHandler,
  Tunnel,
} from "../deps.ts";
import type { PodIdentity } from "./follow.ts";
import { RELAY_PORT } from "./relaymanifest.ts";
import type { RelayKey } from "./relaykey.ts";
import { RelayPodLife, type RelayPodDeps } from "./relaypod.ts";
import { RelayTunnel } from "./relaytunnel.ts";

/** A pod runs before its program listens: refusals in this time are no news. */
const BOOT_MS = 10_000;
const BOOT_RETRY_MS = 50;

/** How long a connection waits for its tunnel. */
const WAIT_MS = 10_000;

export interface RelayLinkDeps extends RelayPodDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly key: RelayKey;
  /** The way to the pod's ports. */
  reach(pod: PodIdentity): Tunnel;
}

export interface RelayLinkEvents {
  onState(pod: RelayPod): void;
  onCreated(pod: PodIdentity): void;
  /** Datagrams and connections go through. */
  onOpen(): void;
  /** They do not; it goes on trying, unless `over`. */
  onLost(reason: Reason, how: "tries on" | "over"): void;
  /** The pod does not run any more. */
  onGone(reason: Reason): void;
  /** Nothing is left of a pod that had gone; the last call. */
  onRemoved(): void;
}

/** Disposing deletes the pod, and calls nobody any more. */
export class RelayLink implements AsyncDisposable {
  readonly #deps: RelayLinkDeps;
  readonly #events: RelayLinkEvents;
  readonly #life: RelayPodLife;
  readonly #waiting = new Set<() => void>();
  #reach: Tunnel | undefined;
  #pod: PodIdentity | undefined;
  #datagrams: RelayTunnel | undefined;
  #streams: RelayTunnel | undefined;
  #timer: Disposable | undefined;
  #attempt = 0;
  #runningSinceMs = 0;
  #state: "coming" | "open" | "gone" = "coming";
  /** Once it was open: when was that first? */
  #openedMs: number | undefined;
  #madeMs: number | undefined;

  constructor(deps: RelayLinkDeps, events: RelayLinkEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#life = new RelayPodLife(deps, {
      onState: (pod) => events.onState(pod),
      onCreated: (pod) => {
        this.#madeMs = deps.clock.now();
        events.onCreated(pod);
      },
      onRunning: (pod) => this.#onRunning(pod),
      onTrouble: (reason, how) => {
        if (how === "over") this.#close();
        events.onLost(reason, how === "over" ? "over" : "tries on");
      },
      onGone: (reason) => {
        this.#close();
        events.onGone(reason);
      },
      onRemoved: () => events.onRemoved(),
    });
  }

  get open(): boolean {
    return this.#state === "open";
  }

  /** It did its work for so long before now. */
  get servedMs(): number {
    return this.#openedMs === undefined ? 0 : this.#deps.clock.now() - this.#openedMs;
  }

  /** Since its pod was made. */
  get ageMs(): number {
    return this.#madeMs === undefined ? 0 : this.#deps.clock.now() - this.#madeMs;
  }

  get load(): number {
    return (this.#datagrams?.load ?? 0) + (this.#streams?.load ?? 0);
  }

  /** Tries again now, if it waits to. */
  retry(): void {
    if (this.#timer === undefined || this.#state !== "coming") return;
    this.#timer[Symbol.dispose]();
    this.#dial();
  }

  prove(): void {
    this.#datagrams?.prove();
    this.#streams?.prove();
  }

  flow(target: RelayTarget, handler: FlowHandler): Flow | undefined {
    return this.#datagrams?.flow(target, handler);
  }

  /** @throws KfwdError `UNREACHABLE`, or the signal's reason. */
  async connect(target: RelayTarget, handler: StreamHandler, signal: AbortSignal): Promise<PodStream> {
    const late = new AbortController();
    const deadline = this.#deps.clock.timer(WAIT_MS, () => late.abort(this.#late()));
    const given = AbortSignal.any([signal, late.signal]);
    try {
      for (;;) {
        given.throwIfAborted();
        if (this.#state === "gone") throw this.#late();
        const stream = this.#streamTunnel()?.connect(target, handler);
        if (stream) return stream;
        await this.#change(given);
      }
    } finally {
      deadline[Symbol.dispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await this.#life[Symbol.asyncDispose]();
  }

  #late(): KfwdError {
    return new KfwdError("UNREACHABLE", `no tunnel to the relay stood within ${WAIT_MS / 1000} s`);
  }

  #onRunning(pod: PodIdentity): void {
    this.#pod = pod;
    this.#runningSinceMs = this.#deps.clock.now();
    this.#reach = this.#deps.reach(pod);
    this.#dial();
  }

  #dial(): void {
    this.#timer = undefined;
    this.#datagrams = this.#tunnel(
      () => {
        this.#state = "open";
        this.#attempt = 0;
        this.#openedMs ??= this.#deps.clock.now();
        this.#events.onOpen();
      },
      (reason) => this.#onLost(reason),
    );
  }

  #onLost(reason: Reason): void {
    this.#datagrams = undefined;
    if (this.#state === "gone") return;
    const { clock, random } = this.#deps;
    const isYoung = this.#openedMs === undefined && clock.now() - this.#runningSinceMs < BOOT_MS;
    const boots = isYoung && reason.kind !== "denied"; // which says nothing of the pod
    this.#state = "coming";
    this.#attempt++;
    this.#timer = clock.timer(boots ? BOOT_RETRY_MS : backoffMs(this.#attempt, random()), () => this.#dial());
    if (!boots) this.#events.onLost(reason, "tries on");
  }

  /** Made when it is first wanted, and again after it was lost. */
  #streamTunnel(): RelayTunnel | undefined {
    if (this.#state !== "open") return undefined;
    this.#streams ??= this.#tunnel(
      () => {},
      () => (this.#streams = undefined),
    );
    return this.#streams;
  }

  #tunnel(onOpen: () => void, onClose: (reason: Reason) => void): RelayTunnel {
    const { clock, key } = this.#deps;
    const reach = this.#reach;
    const dial = (handler: StreamHandler, signal: AbortSignal): Promise<PodStream> =>
      reach ? reach.open(RELAY_PORT, handler, signal) : Promise.reject(this.#late());
    return new RelayTunnel(
      { clock, key, pod: this.#pod?.name ?? "", dial },
      {
        onOpen: () => {
          onOpen();
          this.#tellWaiting();
        },
        onClose: (reason) => {
          onClose(reason);
          this.#tellWaiting();
        },
      },
    );
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener("abort", settle, { once: true });
    });
  }

  #tellWaiting(): void {
    for (const tell of this.#waiting) tell();
  }

  #close(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#timer?.[Symbol.dispose]();
    this.#datagrams?.[Symbol.dispose]();
    this.#streams?.[Symbol.dispose]();
    void this.#reach?.[Symbol.asyncDispose]();
    this.#tellWaiting();
  }
}
