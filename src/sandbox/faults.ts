import type { RequestRecord } from "./requestlog.ts";

/** An answer in place of the real one. */
export interface FaultyAnswer {
  readonly status: number;
  /** Default: a `Status` object of that code, as the API server sends; a text is sent as it is, as proxies do. */
  readonly body?: string;
  /** Seconds, for the Retry-After header. */
  readonly retryAfterS?: number;
  /** Which requests; default all that it applies to. */
  readonly only?: (request: RequestRecord) => boolean;
  /** How often; default until it is taken away. */
  readonly times?: number;
}

/** The request is taken and never answered; of all that it applies to, or those that `only` takes. */
export interface HangingUpgrade {
  readonly hang: true;
  readonly only?: (request: RequestRecord) => boolean;
}

/** What becomes of an upgrade. */
export type FaultyUpgrade = FaultyAnswer | HangingUpgrade;

/** An upgrade is a WebSocket, or is not. */
export type UpgradeKind = "raw" | "websocket";

/** Switches for what can go wrong. They work from the moment they are set; {@link clear} mends everything. */
export class Faults {
  /** Lists, reads and watches are answered so. */
  answers: FaultyAnswer | undefined;
  /** Why the API server forbids new pods, behind `pods "NAME" is forbidden: `: a quota, PodSecurity, a policy. */
  admission: string | undefined;
  /** Why images of new pods cannot be pulled. */
  pull: string | undefined;
  /** Port-forward upgrades are answered so. */
  upgrades: FaultyUpgrade | undefined;
  /** Which upgrades a proxy in front lets through: `raw` is SPDY without a WebSocket. */
  proxyPasses: "both" | UpgradeKind | "none" = "both";
  /** What that proxy does with the others. `stripped`: their Upgrade header is taken away, and the API server answers 400. */
  proxyAnswer: "stripped" | FaultyUpgrade = "stripped";
  /** The gate PortForwardWebsockets; default as the version of Kubernetes has it. */
  tunnelGate: "on" | "off" | undefined;
  /** An upgrade is answered this much later. */
  upgradeDelayMs = 0;
  /** How a watch from a forgotten version is refused: as an ERROR event under 200, or by the HTTP status. */
  expiredWatch: "event" | "status" = "event";
  /** No PING is answered, neither SPDY's nor a WebSocket's. */
  ignorePings = false;
  /** Every byte of an upgraded connection goes out in a write of its own. */
  splitBytes = false;
  /** Every byte of a WebSocket message goes out in a frame of its own. */
  splitFrames = false;
  /** Error text of a stream comes one byte a frame. */
  splitErrorText = false;
  /** Comes on the data stream in front of an error text. */
  dataBeforeError = "";
  /** A stream's end towards the client, or that of a v4.channel WebSocket, is told this much later. */
  finDelayMs = 0;
  readonly #used = new Map<FaultyAnswer, number>();

  /** Whether the answer applies to this request; counts it as used. */
  takes(answer: FaultyAnswer, request: RequestRecord): boolean {
    const used = this.#used.get(answer) ?? 0;
    if (used >= (answer.times ?? Infinity) || answer.only?.(request) === false) return false;
    this.#used.set(answer, used + 1);
    return true;
  }

  /** Everything works again. */
  clear(): void {
    this.#used.clear();
    Object.assign(this, new Faults());
  }
}
