/** The pieces of text that say something of one forward; whatever comes from a cluster or a file is made visible. */
import { bracketed } from "../../hostport.ts";
import { visible } from "../../printable.ts";
import type { ForwardStatus, Reason } from "../../runtime/index.ts";
import type { Paint } from "./colour.ts";

/** `localhost:8080`, `0.0.0.0:8080`, `localhost:53/udp`; `localhost:?` while `auto` has no port yet. */
export function localText(forward: Pick<ForwardStatus, "bind" | "localPort" | "protocol">): string {
  const host = bracketed(forward.bind[0] ?? "localhost");
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

/** `via relay kfwd-relay-9fk2`, or nothing where no relay is in use. */
export function relayText({ relay }: ForwardStatus): string {
  if (relay === null) return "";
  return relay.name === null ? "via relay" : visible(`via relay ${relay.name}`);
}

/** The state in a word or two: `ready`, `ready (relay)`, `waiting (NoReadyPods)`, `reconnecting (attempt 2)`. */
export function stateText(forward: ForwardStatus): string {
  const { state, reason, attempt, relay } = forward;
  if (state === "connecting" && attempt > 0) return `reconnecting (attempt ${attempt})`;
  if (reason === null) return state === "ready" && relay !== null ? "ready (relay)" : state;
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

/** What datagrams were lost for, in the order of how much a user can do about it. */
const DROP_WORDS: readonly (readonly [keyof Dropped, string])[] = [
  ["refused", "nothing listened there"],
  ["unresolved", "the name was not resolved"],
  ["tooLarge", "too large"],
  ["notReady", "nothing was ready"],
  ["full", "faster than the way to the target"],
  ["received", "faster than this machine took them"],
  ["sent", "answers that could not be sent"],
];

type Dropped = NonNullable<ForwardStatus["datagrams"]>["dropped"];

/** `12 datagrams lost: 10 nothing listened there, 2 too large`; nothing when none was. */
export function lostText({ datagrams }: ForwardStatus): string {
  const dropped = datagrams?.dropped;
  if (!dropped) return "";
  const parts = DROP_WORDS.filter(([why]) => dropped[why] > 0).map(
    ([why, words]) => `${dropped[why]} ${words}`,
  );
  const total = DROP_WORDS.reduce((sum, [why]) => sum + dropped[why], 0);
  return total === 0 ? "" : `${countText(total, "datagram")} lost: ${parts.join(", ")}`;
}

/** How many ends must have come late before a relay is worth a word. */
const LATE_ENDS_MIN = 3;

/** Why this forward would gain from `via: relay`; nothing when it would not. */
export function gainText({ traffic, relay }: ForwardStatus): string {
  if (relay !== null || traffic.lateEnds < LATE_ENDS_MIN) return "";
  return (
    `${traffic.lateEnds} of ${traffic.served} connections were ended by the server, which clients learn a second late; ` +
    "`via: relay` tells them at once"
  );
}

/** `1 forward`, `2 forwards`. */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** `2 forwards stopped`. */
export function stoppedText(count: number): string {
  return `${countText(count, "forward")} stopped`;
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

/** `512 B`, `1.2 kB`, `34 MB`: in thousands. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1_000;
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : Number(value.toPrecision(2))} ${units[unit]}`;
}
