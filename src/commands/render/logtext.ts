/** A line of the supervisor's log for people: `db | 10:02:11 lost pod postgres-0: 0 of 1 pods ready`. */
import { visible } from "../../printable.ts";
import type { LogLine } from "../../runtime/index.ts";
import type { Paint } from "./colour.ts";
import { countText, durationText } from "./forward.ts";

/** How lines are to look. */
export interface LogLook {
  readonly paint: Paint;
  /** The forward's name in front. */
  readonly prefix: boolean;
  /** The time of day here, or the whole moment in UTC. */
  readonly time: "local" | "utc";
  /** Of the longest name. */
  readonly width: number;
}

/** What stands in front of lines that are about no forward. */
const OWN_NAME = "kfwd";

export function logText(
  entry: { readonly kind: "line"; readonly line: LogLine } | { readonly kind: "text"; readonly text: string },
  look: LogLook,
): string {
  if (entry.kind === "text") return `${prefix(OWN_NAME, look)}${visible(entry.text)}`;
  const { line } = entry;
  const forward = text(line, "forward");
  const words = visible(forward === "" ? ownWords(line) : forwardWords(line));
  const time = look.time === "utc" ? line.time : timeOfDay(line.time);
  return `${prefix(forward || OWN_NAME, look)}${look.paint.dim(time)} ${paintWords(line, words, look.paint)}`;
}

function prefix(name: string, { prefix: wanted, width, paint }: LogLook): string {
  return wanted ? `${paint.bold(visible(name).padEnd(width))} ${paint.dim("|")} ` : "";
}

function timeOfDay(iso: string): string {
  const at = new Date(iso);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}

function paintWords({ event, level }: LogLine, words: string, paint: Paint): string {
  if (event === "ready") return paint.good(words);
  if (level === "error" || event === "failed") return paint.bad(words);
  if (level === "warn" || event === "waiting") return paint.waiting(words);
  return level === "debug" ? paint.dim(words) : words;
}

function forwardWords(line: LogLine): string {
  switch (line.event) {
    case "ready":
      return readyWords(line);
    case "waiting": {
      const lost = text(line, "lost");
      const reason = text(line, "reason");
      if (lost === "") return `waiting: ${reason}`;
      return `lost ${lost === text(line, "pod") ? "the way to " : ""}pod ${lost}: ${reason}`;
    }
    case "failed":
      return `failed: ${text(line, "reason")}`;
    case "stopping":
    case "removed":
    case "stopped": {
      const reason = text(line, "reason");
      return reason === "" ? line.event : `${line.event}: ${reason}`;
    }
    case "connecting":
      return `connecting to pod ${text(line, "pod")}`;
    case "connection failed":
      return `a connection failed: ${text(line, "reason")}`;
    case "log.suppressed":
      return `${number(line, "lines")} lines of this second were left out`;
    default:
      return others(line);
  }
}

function readyWords(line: LogLine): string {
  const pod = text(line, "pod"); // a host outside the cluster has none
  const on = pod === "" ? "" : ` on ${pod}:${text(line, "podPort")}`;
  const [from, afterMs, held] = [text(line, "from"), number(line, "afterMs"), number(line, "held")];
  if (from === "" && afterMs === undefined) return `ready${on}`;
  const after = afterMs === undefined ? "" : ` after ${durationText(afterMs)}`;
  const waited = held === undefined || held === 0 ? "" : `; held ${countText(held, "connection")}`;
  return `ready again${on}${after}${waited}`;
}

function ownWords(line: LogLine): string {
  switch (line.event) {
    case "started":
      return `supervisor started (pid ${text(line, "pid")}, version ${text(line, "version")})`;
    case "ended":
      return "supervisor ended";
    case "crashed":
      return `supervisor crashed: ${text(line, "error")}`;
    case "woke":
      return `the machine slept for ${durationText(number(line, "sleptMs") ?? 0)}`;
    case "kubeconfig stale":
      return `${text(line, "reason")}; what it said before holds (context "${text(line, "context")}")`;
    case "kubeconfig good":
      return `the kubeconfig can be read again (context "${text(line, "context")}")`;
    case "log.suppressed":
      return `${number(line, "lines")} lines of this second were left out`;
    case "log.dropped":
      return `${number(line, "lines")} lines were lost: the log could not be written`;
    default:
      return line.event.startsWith("relay.") ? relayWords(line) : others(line);
  }
}

function relayWords(line: LogLine): string {
  const [pod, namespace, reason] = [text(line, "pod"), text(line, "namespace"), text(line, "reason")];
  switch (line.event) {
    case "relay.created":
      return `relay pod ${pod} made in namespace ${namespace}`;
    case "relay.refused":
      return `no relay pod in namespace ${namespace}: ${reason}`;
    case "relay.waits":
    case "relay.gone":
      return reason;
    case "relay.removed":
      return `relay pod ${pod} removed from namespace ${namespace}`;
    case "relay.notRemoved":
      return `relay pod ${pod} could not be removed from namespace ${namespace}: ${reason}`;
    default:
      return others(line);
  }
}

/** Whatever has no words of its own: the event and its fields. */
function others({ event, fields }: LogLine): string {
  const shown = Object.entries(fields)
    .filter(([name, value]) => name !== "forward" && value !== null)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === "string" && /[\s"=]/.test(value) ? JSON.stringify(value) : value}`,
    );
  return [event, ...shown].join(" ");
}

function text({ fields }: LogLine, name: string): string {
  const value = fields[name];
  return value === undefined || value === null ? "" : String(value);
}

function number({ fields }: LogLine, name: string): number | undefined {
  const value = fields[name];
  return typeof value === "number" ? value : undefined;
}
