/** What the pool hands streams out from: one socket that many share, or a way to open one for each. */
import type { Reason } from "../core/status.ts";
import type { PodStream, StreamHandler } from "../deps.ts";

/** A way into one pod that takes streams. Disposing closes it at once and ends all its streams as lost. */
export interface PodConnection extends Disposable {
  /** Streams that one more would share its socket with. */
  readonly load: number;
  /** It takes streams. */
  readonly usable: boolean;
  /** A reader or a writer holds up all who share its socket. */
  readonly stalled: boolean;
  /** Rejects only where the stream has to be dialled first: with a KfwdError, or the signal's reason. */
  open(port: number, handler: StreamHandler, signal: AbortSignal): PodStream | Promise<PodStream>;
  /** After a stream's end: false when it must take no more. */
  sweep(): Promise<boolean>;
  /** After a sleep or a change of network: what does not answer soon is closed, whatever TCP believes. */
  prove(): Promise<void>;
  /** Another to the same pod went silent: if this one owes an answer, it is as dead. */
  suspect(): void;
  /** Another to the same pod went silent: silence here is no slow application's any more. */
  doubt(): void;
  /** Takes no more streams and closes when the last one has ended. */
  retire(): void;
  /** The pod is no more, and the node does not always say so: ends the streams that heard nothing from it for so long. */
  abandon(quietMs: number): void;
}

/** What the owner of a connection wants to know. */
export interface ConnectionEvents {
  /** A stream ended; the connection may be idle or less loaded now. */
  onStreamEnd(): void;
  /** It was stalled, and may be so no more. */
  onFlow(): void;
  /** It takes no more streams. */
  onRetire(): void;
  /** It, or a stream with a socket of its own, went dead without a word; its end follows. */
  onSilence(): void;
  /** Called once; every stream has had its `onClose` before. */
  onClose(reason: Reason): void;
}

/** The end of everything that a connection carries. */
export function connectionLost(pod: string, why: string, code = "ConnectionLost"): Reason {
  return { code, kind: "transient", message: `pod "${pod}": ${why}` };
}
