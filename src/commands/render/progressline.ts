/** What happens to forwards, one line a change: `key=value` for logs and pipes, words and colour for a terminal. */
import { hostPort } from "../../hostport.ts";
import { visible } from "../../printable.ts";
import type { ForwardStatus, Readiness } from "../../runtime/index.ts";
import {
  durationText,
  localText,
  paintState,
  podText,
  reasonLines,
  relayText,
  stateText,
  targetText,
} from "./forward.ts";
import type { Paint } from "./colour.ts";

/** `2026-11-21T10:00:00.412Z api ready local=127.0.0.1:8080 target=svc/api:http pod=api-7d9:8080 ms=412` */
export function plainLine(forward: ForwardStatus, atIso: string, sinceStartMs: number): string {
  const { reason, traffic } = forward;
  const local = forward.local.map(({ address, port }) => hostPort(address, port));
  const fields: readonly (readonly [string, string | undefined])[] = [
    ["local", local.length === 0 ? undefined : local.join(",")],
    ["target", targetText(forward)],
    ["pod", podText(forward) || undefined],
    ["relay", forward.relay?.name ? visible(forward.relay.name) : undefined],
    ["reason", reason?.code],
    ["message", reason === null ? undefined : JSON.stringify(visible(reason.message))],
    ["hint", reason?.hint === undefined ? undefined : JSON.stringify(visible(reason.hint))],
    ["held", traffic.held > 0 ? String(traffic.held) : undefined],
    ["ms", String(Math.round(sinceStartMs))],
  ];
  const text = fields.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return [atIso, forward.name, forward.state, ...text].join(" ");
}

/** `localhost:` and a port: what almost every forward has. */
const LOCAL_WIDTH = 15;

/** Of the stages that are told; the others last for milliseconds. */
const MARKS: Partial<Record<ForwardStatus["state"], string>> = { ready: "✔", failed: "✖", stopped: "■" };

/** ` ✔ api  localhost:8080  svc/api:http → api-7d9:8080  0.4s` and, when it is not well, why. */
export function terminalLine(
  forward: ForwardStatus,
  nameWidth: number,
  sinceStartMs: number,
  paint: Paint,
): string {
  const { state, reason } = forward;
  const mark = paintState(forward, MARKS[state] ?? "…", paint);
  const pod = podText(forward);
  const to = pod === "" ? targetText(forward) : `${targetText(forward)} → ${pod}`;
  const relay = state === "ready" ? relayText(forward) : "";
  const way = relay === "" ? to : `${to} ${relay}`;
  const words =
    state === "ready"
      ? paint.dim(durationText(sinceStartMs))
      : paintState(forward, stateText(forward), paint);
  const line = ` ${mark} ${forward.name.padEnd(nameWidth)}  ${localText(forward).padEnd(LOCAL_WIDTH)}  ${way}  ${words}`;
  if (reason === null) return line;
  return [line, ...reasonLines(reason).map((why) => `     ${why}`)].join("\n");
}

/** The fixed last line that scripts, editors and process managers wait for; it never changes. */
export function sentinel({ verdict, ready, total }: Readiness): string {
  return verdict === "ready" ? `kfwd: ready ${ready}/${total}` : `kfwd: degraded ${ready}/${total}`;
}
