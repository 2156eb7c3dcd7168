/** In which order the ways of upgrading are asked for, and which answers lead on to another: decides, asks nobody. */

/**
 * The ways to ask for a port-forward, best first. The first three give the bytes of SPDY/3.1, one connection for all
 * streams and ports of the pod; `channels` gives one stream to one port.
 * - `spdy`: as it is, by `POST`, which needs only the verb `create`. Source: k8s.io/cri-streaming
 *   `portforward/httpstream.go`.
 * - `spdyByGet`: the same for those who may only `get`; from Kubernetes 1.35 on that needs `create` too.
 * - `tunnel`: inside the messages of a WebSocket, which is a `GET`. On since 1.31. Source: KEP-4006.
 * - `channels`: v4.channel.k8s.io, the WebSocket protocol of all versions.
 */
export type Rung = "spdy" | "spdyByGet" | "tunnel" | "channels";

const RUNGS: readonly Rung[] = ["spdy", "spdyByGet", "tunnel", "channels"];

/** What a request by a rung is, in the words of RBAC. */
export const VERB = { spdy: "create", spdyByGet: "get", tunnel: "get", channels: "get" } as const;

/**
 * An answer other than the upgrade. `by` says whose it is.
 * - `server`: the API server's own, in a `Status`
 * - `stranger`: HTTP of any other kind: of the node, or of a proxy that does not let this kind of upgrade through
 * - `silence`: none came in time
 * - `break`: the connection ended, or what came was not HTTP
 */
export interface Refusal {
  readonly rung: Rung;
  readonly by: "server" | "stranger" | "silence" | "break";
  /** Of HTTP; 0 where there was none. */
  readonly status: number;
}

/**
 * The way to ask for next; undefined when the answers so far are all there is to know. `proven` worked last time. A way
 * that merely broke, as to an API server that restarts, is asked for once more before it is given up for channels.
 */
export function nextRung(refusals: readonly Refusal[], proven: Rung | undefined): Rung | undefined {
  if (refusals.some(isFinal)) return undefined;
  const left = RUNGS.filter((rung) => !refusals.some((refusal) => refusal.rung === rung));
  if (proven !== undefined && left.includes(proven)) return proven;
  const next = left.find((rung) => mayLeadOn(rung, refusals));
  const timesAsked = (rung: Rung): number => refusals.filter((refusal) => refusal.rung === rung).length;
  const brokeOnce = refusals.find(({ rung, by }) => by === "break" && timesAsked(rung) === 1)?.rung;
  return next === "channels" ? (brokeOnce ?? next) : next;
}

/**
 * An answer of the API server is an answer, but for two: it says 400 when it never saw the Upgrade header that a proxy
 * took away, and 403 tells of one verb where the rungs need different ones.
 */
function isFinal({ by, status }: Refusal): boolean {
  return status === 401 || (by === "server" && status !== 400 && status !== 403);
}

function mayLeadOn(rung: Rung, refusals: readonly Refusal[]): boolean {
  const denied = refusals.filter(({ by, status }) => by === "server" && status === 403);
  if (denied.some((refusal) => VERB[refusal.rung] === VERB[rung])) return false;
  if (rung === "spdyByGet") return denied.some((refusal) => refusal.rung === "spdy");
  return rung !== "channels" || refusals.some(isUnknownTunnel);
}

/** In words and not of trouble behind: whoever said so may know the older protocol. */
function isUnknownTunnel({ rung, by, status }: Refusal): boolean {
  return rung === "tunnel" && (by === "server" || by === "stranger") && status < 500;
}
