/** Requests as the API server's audit log has them. */

/** A command that prints the audit log, one JSON event a line. */
export const AUDIT_VARIABLE = "KFWD_BENCH_AUDIT";

/** The part of an `audit.k8s.io/v1` event that is counted by. */
interface AuditEvent {
  readonly auditID: string;
  readonly verb: string;
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly namespace?: string;
    readonly resource?: string;
    readonly subresource?: string;
  };
}

/** Which requests to count. */
export interface Wanted {
  readonly namespace: string;
  /** How the User-Agent begins. */
  readonly agent: string;
  /** Left out: what the log held before. */
  readonly before: ReadonlySet<string>;
}

/** The id of every request in the log; a request has one event a stage. */
export function auditIds(log: string): Set<string> {
  return new Set(events(log).map(({ auditID }) => auditID));
}

/** How many requests there were of each kind: `list pods`, `create pods/portforward`. */
export function countRequests(log: string, { namespace, agent, before }: Wanted): Map<string, number> {
  const kinds = new Map<string, string>();
  for (const { auditID, verb, userAgent, objectRef } of events(log)) {
    if (before.has(auditID) || objectRef?.namespace !== namespace) continue;
    if (userAgent?.startsWith(agent) !== true) continue;
    const { resource = "?", subresource } = objectRef;
    kinds.set(auditID, `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`);
  }
  const counts = new Map<string, number>();
  for (const kind of kinds.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function events(log: string): AuditEvent[] {
  // The last line may be one that is being written.
  const lines = log.slice(0, log.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AuditEvent);
}
