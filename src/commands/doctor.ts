/** `kfwd doctor`: looks at all that forwards depend on, side by side and within a deadline. Changes nothing. */
import { KfwdError } from "../errors.ts";
import { RELAY_IMAGE, troubleFinding, type Finding, type Surveyor } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { lookAtClusters, type Bounded, type ClusterLook } from "./doctorcluster.ts";
import {
  imageFindings,
  lookAtFile,
  lookAtLock,
  machineFinding,
  portFindings,
  protectFindings,
  type FileLook,
  type LockLook,
} from "./doctorlocal.ts";
import { Output } from "./output.ts";
import { chooseNames } from "./plan.ts";
import { doctorLines, reportBlock, veiled } from "./render/doctortext.ts";
import { countText } from "./render/forward.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface DoctorFlags extends ClusterFlags {
  readonly redact?: boolean;
}

/** What has not answered by then is told to end, and has the rest of the time to say how far it came. */
const ANSWER_MS = 18_000;

/** All of it takes no longer. */
const LIMIT_MS = 20_000;

/** 0 when nothing is bad, else the exit status of the first thing that is. */
export async function doctor(world: World, wanted: readonly string[], flags: DoctorFlags): Promise<number> {
  const out = new Output(world, flags);
  const late = new KfwdError("UNREACHABLE", `gave no answer within ${ANSWER_MS / 1000} s`);
  const [end, over] = [new AbortController(), new AbortController()];
  const timers = [
    world.clock.timer(ANSWER_MS, () => end.abort(late)),
    world.clock.timer(LIMIT_MS, () => over.abort(late)),
  ];
  let interrupted: Interrupt | undefined;
  const listening = world.onInterrupt((signal) => {
    interrupted = signal;
    for (const one of [end, over]) one.abort(new KfwdError("UNREACHABLE", "was interrupted"));
  });
  try {
    const { findings, names } = await lookAtAll(world, wanted, flags, end.signal, boundedBy(over.signal));
    if (interrupted !== undefined) return INTERRUPTED[interrupted];
    const veil = { home: world.runtime.home, names: flags.redact ? names : undefined };
    return tell(
      world,
      out,
      flags,
      findings.map((finding) => veiled(finding, veil)),
    );
  } finally {
    for (const timer of timers) timer[Symbol.dispose]();
    listening[Symbol.dispose]();
  }
}

function tell(world: World, out: Output, flags: DoctorFlags, findings: readonly Finding[]): number {
  const bad = findings.filter(({ state }) => state === "bad");
  const exit = bad.length === 0 ? 0 : (bad[0]?.exit ?? 1);
  const { version, platform, arch } = process;
  if (flags.json) {
    const about = { kfwd: world.version, node: version, platform, arch };
    out.json({ schema: "kfwd.doctor/1", ok: exit === 0, exit, ...about, checks: findings });
    return exit;
  }
  const shown = flags.quiet ? bad : findings;
  for (const line of doctorLines(shown, out.dataPaint)) out.data(line);
  if (flags.quiet) return exit;
  const warnings = findings.filter(({ state }) => state === "warn").length;
  out.note(`\n${countText(bad.length, "problem")}, ${countText(warnings, "warning")}; for a report:`);
  out.data(`\n${reportBlock(findings, [`kfwd ${world.version}, Node ${version}, ${platform} ${arch}`])}`);
  return exit;
}

async function lookAtAll(
  world: World,
  wanted: readonly string[],
  flags: DoctorFlags,
  signal: AbortSignal,
  bounded: Bounded,
) {
  const file = await lookAtFile(world, flags, wanted);
  const all = file.config?.parsed.project.forwards ?? [];
  const names = chooseNames(
    wanted,
    all.map(({ name }) => name),
  );
  const forwards = all.filter(({ name }) => names.includes(name));
  // First, and alone: loading what speaks Kubernetes would keep us from hearing the supervisor in time.
  const lock = await bounded<LockLook | undefined>(lookAtLock(world, flags, signal), (error) => ({
    finding: troubleFinding("lock", undefined, error),
    record: undefined,
    report: undefined,
  }));
  const [clusters, ports, leftovers] = await Promise.all([
    lookAtWays(world, flags, file, forwards, bounded, signal),
    bounded(portFindings(world, forwards, lock?.record), (error) => [
      troubleFinding("port", undefined, error),
    ]),
    lookForLeftovers(world, file, forwards, bounded, signal),
  ]);
  const contexts = [...clusters.places.values()].map(({ context }) => context);
  const findings = [
    machineFinding(),
    ...file.findings,
    ...(file.config === undefined ? [] : protectFindings(file.config, contexts, flags)),
    ...kubeconfigFindings(world, flags, forwards),
    ...clusters.contexts,
    ...(lock === undefined ? [] : movedFindings(lock, clusters, forwards)),
    ...clusters.transport,
    ...clusters.rights,
    ...clusters.targets,
    ...ports,
    ...(lock === undefined ? [] : [lock.finding]),
    ...leftovers,
    ...imageFindings(forwards, RELAY_IMAGE),
    ...world.runtime.folders(),
  ];
  return { findings, names: clusters.names };
}

async function lookAtWays(
  world: World,
  flags: DoctorFlags,
  { how }: FileLook,
  forwards: readonly ForwardSpec[],
  bounded: Bounded,
  signal: AbortSignal,
): Promise<ClusterLook> {
  const survey: Surveyor = await world.runtime.survey();
  try {
    const { kubeconfig, context, namespace } = flags;
    const where = {
      ...(kubeconfig !== undefined && { kubeconfig }),
      ...(context !== undefined && { context }),
      ...(namespace !== undefined && { namespace }),
    };
    return await lookAtClusters(survey, { forwards, where, how }, bounded, signal);
  } finally {
    await survey[Symbol.asyncDispose]();
  }
}

/** Locks of the dead on this machine, and relay pods where the forwards lead. */
async function lookForLeftovers(
  world: World,
  { how }: FileLook,
  forwards: readonly ForwardSpec[],
  bounded: Bounded,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const look = async (): Promise<readonly Finding[]> => {
    await using janitor = await world.runtime.janitor();
    const places = forwards.map(({ kubeconfig, context, namespace, relay }) => ({
      kubeconfig,
      context,
      namespace: relay?.namespace ?? namespace,
    }));
    const { locks, relays, failures } = await janitor.find(places, signal);
    const left = [
      ...(locks.length === 0 ? [] : [countText(locks.length, "lock")]),
      ...(relays.length === 0 ? [] : [countText(relays.length, "relay pod")]),
    ].join(" and ");
    if (left !== "") {
      const says = `${left} of supervisors that have died`;
      return [{ id: "leftovers", state: "warn", says, hint: "kfwd prune" }];
    }
    if (failures.length > 0) {
      const says = "no locks of supervisors that have died; relay pods cannot be looked for";
      return [{ id: "leftovers", state: "unknown", says, detail: failures }];
    }
    return [{ id: "leftovers", state: "good", says: "nothing of supervisors that have died" }];
  };
  if (how === "leave" || forwards.length === 0) return [];
  return bounded(look(), (error) => [{ ...troubleFinding("leftovers", undefined, error), state: "unknown" }]);
}

function kubeconfigFindings(
  { runtime }: World,
  flags: DoctorFlags,
  forwards: readonly ForwardSpec[],
): readonly Finding[] {
  const named = forwards.length === 0 ? [flags.kubeconfig] : forwards.map(({ kubeconfig }) => kubeconfig);
  return [...new Set(named)].flatMap((path) => runtime.kubeconfigFiles(path));
}

/** Forwards that run in another context than the one they would be started in now. */
function movedFindings(
  { report }: LockLook,
  { places }: ClusterLook,
  forwards: readonly ForwardSpec[],
): readonly Finding[] {
  return forwards.flatMap(({ name, followContext }): readonly Finding[] => {
    const running = report?.entries.find((entry) => entry.name === name)?.context ?? undefined;
    const now = places.get(name)?.context;
    if (followContext || running === undefined || now === undefined || running === now) return [];
    const says = `runs in context "${running}"; by the kubeconfig of now it would start in "${now}"`;
    return [{ id: "context", about: name, state: "warn", says, hint: "kfwd up moves it" }];
  });
}

/** Leaves behind what outlives the signal, and turns what is thrown into what is said instead. */
function boundedBy(signal: AbortSignal): Bounded {
  const over = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  over.catch(() => {}); // nobody may be waiting
  return async (work, otherwise) => {
    try {
      return await Promise.race([work, over]);
    } catch (thrown) {
      return otherwise(KfwdError.from(thrown));
    }
  };
}
