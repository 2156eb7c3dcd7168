/** Forwards that cannot both be bound, found without binding anything. */
import { AddressClaims } from "./address.ts";
import { quoted } from "../printable.ts";
import type { Report } from "./report.ts";
import type { Span } from "./source.ts";
import type { ForwardSpec } from "./spec.ts";

/** A spec, and where its local port was said, for messages about it. */
export interface PlacedSpec {
  readonly spec: ForwardSpec;
  readonly localAt: Span;
}

/** Reports each forward that wants an address, port and protocol an earlier one has; TCP and UDP do not meet. */
export function reportOverlaps(forwards: readonly PlacedSpec[], report: Report): void {
  const claimsByPort = new Map<string, AddressClaims<PlacedSpec>>();
  for (const forward of forwards) {
    const { bind, local, protocol } = forward.spec;
    if (local === "auto") continue;
    const port = `${local}/${protocol}`;
    const claims = claimsByPort.get(port) ?? new AddressClaims<PlacedSpec>();
    claimsByPort.set(port, claims);
    for (const address of bind) {
      const holder = claims.claim(address, forward);
      if (holder === undefined) continue;
      reportOverlap(holder, forward, `${address.includes(":") ? `[${address}]` : address}:${port}`, report);
      break;
    }
  }
}

function reportOverlap(first: PlacedSpec, second: PlacedSpec, address: string, report: Report): void {
  const message = `${quoted(first.spec.name)} and ${quoted(second.spec.name)} both use ${address}`;
  const related = { message: `${quoted(first.spec.name)} is here`, span: first.localAt };
  report.error({
    code: "DuplicateLocal",
    message,
    hint: 'use another port, or "local: auto"',
    span: second.localAt,
    related,
  });
}
