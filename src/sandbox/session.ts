import type { PortForwardSurroundings } from "./portforward.ts";

/** What a session needs, and whom it tells. */
export interface SessionSurroundings extends PortForwardSurroundings {
  /** The number of its streams has changed. */
  onChange(): void;
  onClose(): void;
}

/** One upgraded connection to a pod, whatever protocol it speaks. */
export interface Session {
  /** Streams that are not over in both directions: two for each connection into the pod. */
  readonly streams: number;
  /** Reads no more: the client's bytes pile up on the way, and its end is not seen. */
  stall(): void;
  /** Throws away what comes and sends nothing any more: what a dead network looks like. */
  silence(): void;
  /** Undoes {@link stall}; what was silenced has lost bytes and stays so. */
  resume(): void;
  /** One of what handles its frames never does so again. */
  wedge(): void;
  /** Takes no new streams; it ends when the present ones have. */
  goAway(): void;
  /** Ends it in order, at once. */
  end(): void;
}
