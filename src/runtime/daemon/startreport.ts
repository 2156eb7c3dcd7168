/** The child's side of a detached start. */
import type { StartReport } from "../wire/startreport.ts";

/** The part of `process` that speaks to whoever started it. */
export type ParentLink = Pick<NodeJS.Process, "connected" | "send" | "disconnect">;

/**
 * Tells the process that started this one how it went, and lets go of it: only the first report is sent. Resolves
 * when it is on its way; a parent that is gone, or never was, is no trouble.
 */
export function reportToParent(link: ParentLink, report: StartReport): Promise<void> {
  return new Promise((resolve) => {
    if (!link.connected || link.send === undefined) {
      resolve();
      return;
    }
    link.send(report, undefined, undefined, () => {
      if (link.connected) link.disconnect();
      resolve();
    });
  });
}
