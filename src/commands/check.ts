/** `kfwd check`: what is wrong or unwise in the files. Asks no cluster. */
import type { Diagnostic } from "../schema/diagnostic.ts";
import type { ParseResult } from "../schema/parse.ts";
import { Output } from "./output.ts";
import { findingRecord, loadRequest, tellFindings } from "./plan.ts";
import type { ClusterFlags, World } from "./world.ts";

export interface CheckFlags extends ClusterFlags {
  readonly strict?: boolean;
}

/** 2 when the files cannot be used, or with `--strict` when there is anything to warn of. */
export async function check(world: World, flags: CheckFlags): Promise<number> {
  const out = new Output(world, flags);
  const { config, parsed } = await world.runtime.load(loadRequest(world, flags));
  const found = findingsOf(parsed);
  const isBad = parsed.kind === "invalid" || (flags.strict === true && found.some(isWarning));
  if (flags.json) {
    const { more } = parsed;
    const findings = found.map((one) => ({ severity: one.severity, ...findingRecord(one) }));
    out.json({ schema: "kfwd.check/1", file: config.shownAs, ok: !isBad, findings, more });
  } else {
    tellFindings(found, parsed.more, parsed.texts, out);
    if (found.length > 0) out.note("");
    out.note(`${config.shownAs}: ${summaryOf(parsed)}`);
  }
  return isBad ? 2 : 0;
}

function findingsOf(parsed: ParseResult): readonly Diagnostic[] {
  return parsed.kind === "invalid" ? parsed.diagnostics : [...parsed.warnings, ...parsed.notes];
}

function isWarning({ severity }: Diagnostic): boolean {
  return severity === "warning";
}

/** `3 forwards, 1 warning` */
function summaryOf(parsed: ParseResult): string {
  if (parsed.kind === "invalid") return count(parsed.diagnostics.length + parsed.more, "error");
  const forwards = count(parsed.project.forwards.length, "forward");
  const warnings = parsed.warnings.length + parsed.more;
  return `${forwards}, ${warnings === 0 ? "nothing wrong" : count(warnings, "warning")}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
