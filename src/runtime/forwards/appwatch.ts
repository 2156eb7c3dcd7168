/** Probes the application of a forward for as long as one way to it stands. */
import type { ForwardSpec, ProbeSpec } from "../../schema/spec.ts";
import type { Endpoint, Reason } from "../core/status.ts";
import type { Clock } from "../deps.ts";
import { Prober } from "./prober.ts";
import type { Way } from "./route.ts";

/** What came out for the pod that was asked, and when the next question is due. */
export type Probed = (endpoint: Endpoint, trouble: Reason | null, nextMs: number) => void;

/** Does nothing where the file asks for no probe of the application. */
export class AppWatch {
  readonly #clock: Clock;
  readonly #probe: ProbeSpec | undefined;
  readonly #tell: Probed;
  #probing: { readonly way: Way; readonly prober: Prober } | undefined;

  constructor(clock: Clock, { probe, protocol }: ForwardSpec, tell: Probed) {
    this.#clock = clock;
    const asks = probe?.type === "tcp" || probe?.type === "http";
    this.#probe = asks && protocol !== "udp" ? probe : undefined;
    this.#tell = tell;
  }

  /** Asks over this way from now on, undefined: not at all. */
  watch(way: Way | undefined): void {
    if (this.#probe === undefined || this.#probing?.way === way) return;
    this.stop();
    if (way === undefined) return;
    const prober = new Prober(this.#clock, this.#probe, way.open, (trouble, nextMs) =>
      this.#tell(way.endpoint, trouble, nextMs),
    );
    this.#probing = { way, prober };
  }

  /** Until the next {@link watch}, which asks at once. */
  stop(): void {
    this.#probing?.prober[Symbol.dispose]();
    this.#probing = undefined;
  }
}
