/** `kfwd check`: what is wrong or unwise in the files; with `--cluster` also what the clusters say to them. */
import type { Diagnostic } from "../schema/diagnostic.ts";
import type { ParseResult } from "../schema/parse.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { examineAll, examinedRecord, exitOf } from "./clustercheck.ts";
import { Output } from "./output.ts";
import { findingRecord, loadRequest, tellFindings } from "./plan.ts";
import { clusterLines } from "./render/clusterview.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface CheckFlags extends ClusterFlags {
  readonly strict?: boolean;
  readonly cluster?: boolean;
}

/** 2 when the files cannot be used, or with `--strict` when there is anything to warn of. */
export async function check(world: World, flags: CheckFlags): Promise<number> {
  const out = new Output(world, flags);
  const { config, parsed } = await world.runtime.load(loadRequest(world, flags));
  const found = findingsOf(parsed);
  const isBad = parsed.kind === "invalid" || (flags.strict === true && found.some(isWarning));
  const forwards = parsed.kind === "valid" ? parsed.project.forwards : [];
  if (!flags.json) {
    tellFindings(world, found, parsed, out);
    if (found.length > 0) out.note("");
    out.note(`${config.shownAs}: ${summaryOf(parsed)}`);
  }
  const answers = flags.cluster && !isBad ? await askClusters(world, forwards) : undefined;
  const exit = isBad ? 2 : (answers?.exit ?? 0);
  if (flags.json) {
    const findings = found.map((one) => ({ severity: one.severity, ...findingRecord(one) }));
    const cluster = answers && { cluster: answers.records };
    const { more } = parsed;
    out.json({ schema: "kfwd.check/1", file: config.shownAs, ok: exit === 0, findings, more, ...cluster });
  } else if (answers !== undefined) {
    for (const line of clusterLines(answers.examined, out.dataPaint)) out.data(line);
  }
  return exit;
}

async function askClusters(world: World, forwards: readonly ForwardSpec[]) {
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  try {
    const examined = await examineAll(world, forwards, interrupt.signal);
    return { examined, records: examined.map(examinedRecord), exit: exitOf(examined, forwards) };
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    const signal: Interrupt = interrupt.signal.reason;
    return { examined: [], records: [], exit: INTERRUPTED[signal] };
  } finally {
    listening[Symbol.dispose]();
  }
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
