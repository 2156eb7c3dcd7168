/** The pieces of text that say something of one forward; whatever comes from a cluster or a file is made visible. */
import { visible } from "../../printable.ts";
import type { ForwardStatus, Reason } from "../../runtime/index.ts";
import type { Paint } from "./colour.ts";

/** `localhost:8080`, `0.0.0.0:8080`, `localhost:53/udp`; `localhost:?` while `auto` has no port yet. */
export function localText(forward: ForwardStatus): string {
  const address = forward.bind[0] ?? "localhost";
  const host = address.includes(":") ? `[${address}]` : address;
  const others = forward.bind.length > 1 ? `+${forward.bind.length - 1}` : "";
  const protocol = forward.protocol === "udp" ? "/udp" : "";
  return visible(`${host}${others}:${forward.localPort ?? "?"}${protocol}`);
}

export function targetText(forward: ForwardStatus): string {
  return visible(forward.targetText);
}

/** `→ api-7d9:8080`, or nothing while no pod is known. */
export function podText(forward: ForwardStatus): string {
  return forward.pod === null ? "" : visible(`${forward.pod}:${forward.podPort ?? "?"}`);
}

/** The state in a word or two: `ready`, `waiting (NoReadyPods)`, `reconnecting (attempt 2)`. */
export function stateText(forward: ForwardStatus): string {
  const { state, reason, attempt } = forward;
  if (state === "connecting" && attempt > 0) return `reconnecting (attempt ${attempt})`;
  if (reason === null) return state;
  return visible(`${state} (${reason.code})`);
}

export function paintState(forward: ForwardStatus, text: string, paint: Paint): string {
  switch (forward.state) {
    case "ready":
      return paint.good(text);
    case "failed":
      return paint.bad(text);
    case "waiting":
    case "connecting":
      return paint.waiting(text);
    case "binding":
    case "resolving":
    case "stopping":
    case "stopped":
      return paint.dim(text);
  }
}

/** Why, and what to do about it, as lines to be indented under the forward. */
export function reasonLines(reason: Reason): readonly string[] {
  const lines = [visible(reason.message)];
  return reason.hint === undefined ? lines : [...lines, `hint: ${visible(reason.hint)}`];
}

/** `2 forwards stopped`. */
export function stoppedText(count: number): string {
  return count === 1 ? "1 forward stopped" : `${count} forwards stopped`;
}

/** `0.4s`, `35s`, `12m`, `3h`, `2d`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 100) return `${Math.floor(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
