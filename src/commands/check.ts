/** `kfwd check`: what is wrong or unwise in the files; with `--cluster` also what the clusters say to them. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import { refuseUnknownProfiles, type GoodConfig, type LoadedConfig } from "../runtime/index.ts";
import type { Diagnostic } from "../schema/diagnostic.ts";
import type { ParseResult } from "../schema/parse.ts";
import { examineAll, examinedRecord, exitOf } from "./clustercheck.ts";
import { gainByRelay, type Gain } from "./gain.ts";
import { fixFiles, refuseFix } from "./fix.ts";
import { Output } from "./output.ts";
import { findingRecord, loadRequest, refuseUntrusted, tellFindings } from "./plan.ts";
import { clusterLines } from "./render/clusterview.ts";
import { countText } from "./render/forward.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface CheckFlags extends ClusterFlags {
  readonly strict?: boolean;
  readonly cluster?: boolean;
  readonly all?: boolean;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
}

/** 2 when the files cannot be used, or with `--strict` when there is anything to warn of. */
export async function check(world: World, flags: CheckFlags): Promise<number> {
  const out = new Output(world, flags);
  const request = loadRequest(world, flags);
  if (flags.all && (request.environment !== undefined || request.files.includes("-"))) {
    const what = request.files.includes("-") ? "-f -" : "-e";
    throw new KfwdError(
      "USAGE",
      `--all cannot go with ${what}: it reads the files once for each environment`,
    );
  }
  refuseFix(flags, request.files);
  let first = await world.runtime.load(request);
  const fixed = flags.fix ? fixFiles(world, first, howToFix(flags), out) : [];
  if (flags.dryRun && first.parsed.kind === "valid") {
    if (flags.json)
      out.json({ schema: "kfwd.check/1", file: first.config.shownAs, ok: true, wouldFix: fixed });
    return 0;
  }
  if (fixed.length > 0) first = await world.runtime.load(request);
  if (first.parsed.kind === "valid") refuseUnknownProfiles(first.parsed.details, flags.profile ?? []);
  const told = new Set<string>();
  const results = [await checkOne(world, flags, out, first, told)];
  for (const environment of flags.all ? othersOf(first.parsed) : []) {
    const loaded = await world.runtime.load({ ...request, environment });
    results.push(await checkOne(world, flags, out, loaded, told, environment));
  }
  const exit = Math.max(...results.map((result) => result.exit));
  if (!flags.json) return exit;
  const findings = results.flatMap((result) => result.findings);
  const more = results.reduce((sum, result) => sum + result.more, 0);
  const cluster = flags.cluster ? { cluster: results.flatMap((result) => result.cluster) } : {};
  const gains = results.flatMap((result) => result.gains);
  out.json({
    schema: "kfwd.check/1",
    file: first.config.shownAs,
    ok: exit === 0,
    findings,
    more,
    gainByRelay: gains,
    ...(flags.fix && { fixed }),
    ...cluster,
  });
  return exit;
}

function howToFix({ dryRun, json }: CheckFlags): "write" | "show" | "list" {
  if (!dryRun) return "write";
  return json ? "list" : "show";
}

interface Result {
  readonly exit: number;
  /** As JSON has them. */
  readonly findings: readonly object[];
  readonly more: number;
  readonly gains: readonly object[];
  readonly cluster: readonly object[];
}

/** `told` has what was said of other environments: most of a file is in all of them. */
async function checkOne(
  world: World,
  flags: CheckFlags,
  out: Output,
  loaded: LoadedConfig,
  told: Set<string>,
  environment?: string,
): Promise<Result> {
  const { config, parsed } = loaded;
  const all = findingsOf(parsed);
  const found = all.filter((finding) => !told.has(JSON.stringify(finding)));
  for (const finding of found) told.add(JSON.stringify(finding));
  const isBad = parsed.kind === "invalid" || (flags.strict === true && all.some(isWarning));
  if (!flags.json) {
    tellFindings(world, found, parsed, out);
    if (found.length > 0) out.note("");
    const where = environment === undefined ? "" : ` (environment ${environment})`;
    out.note(`${visible(config.shownAs)}${where}: ${summaryOf(parsed)}`);
  }
  const gains = await gainsOf(
    world,
    environment === undefined ? flags : { ...flags, env: environment },
    parsed,
  );
  for (const { name, message } of gains) out.note(`note: ${visible(name)}: ${message}`);
  const answers =
    flags.cluster && !isBad && parsed.kind === "valid"
      ? await askClusters(world, { ...loaded, parsed }, flags)
      : undefined;
  if (!flags.json) {
    for (const line of clusterLines(answers?.examined ?? [], out.dataPaint)) out.data(line);
  }
  return {
    exit: isBad ? 2 : (answers?.exit ?? 0),
    findings: found.map((one) => ({ severity: one.severity, ...findingRecord(one) })),
    more: parsed.more,
    gains: gains.map((gain) => ({ ...gain, environment: environment ?? null })),
    cluster: answers?.records.map((record) => ({ ...record, environment: environment ?? null })) ?? [],
  };
}

async function gainsOf(world: World, flags: CheckFlags, parsed: ParseResult): Promise<readonly Gain[]> {
  return parsed.kind === "valid" ? gainByRelay(world, flags, parsed.details) : [];
}

/** The environments besides the one that was read. */
function othersOf(parsed: ParseResult): readonly string[] {
  if (parsed.kind === "invalid") return [];
  return parsed.details.environments.filter((name) => name !== parsed.project.environment);
}

/** @throws KfwdError `UNTRUSTED`, since to ask is to log in, and a kubeconfig says how. */
async function askClusters(world: World, config: GoodConfig, flags: ClusterFlags) {
  refuseUntrusted(world, config, flags, "askCluster");
  const { forwards } = config.parsed.project;
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
  return parsed.kind === "invalid"
    ? [...parsed.warnings, ...parsed.diagnostics]
    : [...parsed.warnings, ...parsed.notes];
}

function isWarning({ severity }: Diagnostic): boolean {
  return severity === "warning";
}

/** `3 forwards, 1 warning` */
function summaryOf(parsed: ParseResult): string {
  if (parsed.kind === "invalid") return countText(parsed.diagnostics.length + parsed.more, "error");
  const forwards = countText(parsed.project.forwards.length, "forward");
  const warnings = parsed.warnings.length + parsed.more;
  return `${forwards}, ${warnings === 0 ? "nothing wrong" : countText(warnings, "warning")}`;
}
