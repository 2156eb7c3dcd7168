/** What `kfwd doctor` finds on this machine: Node, the file, the lock, local ports. */
import { isRelayed } from "../relayed.ts";
import { KfwdError } from "../errors.ts";
import {
  protectingGlob,
  refuseUnknownProfiles,
  deathText,
  troubleFinding,
  type AttendHow,
  type Finding,
  type GoodConfig,
  type LockRecord,
  type LockState,
  type StatusReport,
} from "../runtime/index.ts";
import { placeText } from "../schema/diagnostic.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { shellWord } from "../shellword.ts";
import { chosenProject, loadRequest, refuseUntrusted } from "./plan.ts";
import { countText } from "./render/forward.ts";
import type { ClusterFlags, World } from "./world.ts";

export function machineFinding(): Finding {
  const { version, platform, arch } = process;
  return { id: "node", state: "good", says: `Node ${version} on ${platform} ${arch}` };
}

/** The file as far as it goes, and whether its clusters may be asked. */
export interface FileLook {
  readonly findings: readonly Finding[];
  /** Undefined where there is none that could be used. */
  readonly config: GoodConfig | undefined;
  readonly how: AttendHow;
}

/** @throws KfwdError `USAGE`. */
export async function lookAtFile(
  world: World,
  flags: ClusterFlags,
  names: readonly string[],
): Promise<FileLook> {
  const nothing = { config: undefined, how: "ask" } as const;
  const request = { ...loadRequest(world, flags), names };
  let loaded: Awaited<ReturnType<World["runtime"]["load"]>>;
  try {
    loaded = await world.runtime.load(request);
  } catch (thrown) {
    const error = KfwdError.from(thrown);
    const isSought = error.code === "CONFIG_NOT_FOUND" && request.files.length === 0;
    const finding = troubleFinding("file", undefined, error);
    if (!isSought) return { ...nothing, findings: [finding] };
    const says = "no forwards.yaml here or above: only this machine and the kubeconfig are looked at";
    return { ...nothing, findings: [{ id: "file", state: "warn", says, hint: "kfwd init" }] };
  }
  const { config, parsed } = loaded;
  const file = config.shownAs;
  if (parsed.kind === "invalid") {
    const [first] = parsed.diagnostics;
    const where = first === undefined ? "" : `${placeText(first)}: ${first.message}`;
    const errors = countText(parsed.diagnostics.length + parsed.more, "error");
    const says = `${errors}; the first is at ${where}`;
    return {
      ...nothing,
      findings: [{ id: "file", about: file, state: "bad", says, hint: "kfwd check", exit: 2 }],
    };
  }
  const good = { ...loaded, parsed };
  refuseUnknownProfiles(parsed.details, flags.profile ?? []);
  const warnings = parsed.warnings.length + parsed.more;
  const count = countText(parsed.project.forwards.length, "forward");
  const finding: Finding =
    warnings === 0
      ? { id: "file", about: file, state: "good", says: `${count}, nothing wrong` }
      : {
          id: "file",
          about: file,
          state: "warn",
          says: `${count}, ${countText(warnings, "warning")}`,
          hint: "kfwd check",
        };
  const trust = trustFinding(world, good, flags);
  const mayAsk = untrusted(world, good, flags, "askCluster") === undefined;
  return { config: good, how: mayAsk ? "ask" : "leave", findings: [finding, trust] };
}

function trustFinding(world: World, config: GoodConfig, flags: ClusterFlags): Finding {
  const error = untrusted(world, config, flags, "start");
  if (error !== undefined) return troubleFinding("trust", undefined, error);
  const { demands } = world.runtime.trustQuestion(config, flags.kubeconfig);
  const says =
    demands.length === 0 ? "the file wants nothing that must be allowed" : "what the file wants is allowed";
  return { id: "trust", state: "good", says };
}

function untrusted(
  world: World,
  config: GoodConfig,
  flags: ClusterFlags,
  purpose: "start" | "askCluster",
): KfwdError | undefined {
  try {
    refuseUntrusted(world, config, flags, purpose);
    return undefined;
  } catch (thrown) {
    return KfwdError.from(thrown);
  }
}

/** Whether a context is one in which forwards start only when it is allowed. */
export function protectFindings(
  config: GoodConfig,
  contexts: readonly string[],
  { allowContext = [] }: ClusterFlags,
): readonly Finding[] {
  const globs = config.parsed.project.protect ?? [];
  return [...new Set(contexts)].flatMap((context): readonly Finding[] => {
    const glob = protectingGlob(context, globs, allowContext);
    if (glob === undefined) return [];
    const says = `is protected by the file ("${glob}"): nothing is started there unless it is allowed`;
    const hint = `kfwd up --allow-context ${shellWord(context)}`;
    return [{ id: "protect", about: context, state: "warn", says, hint }];
  });
}

/** Who keeps the project. */
export interface LockLook {
  readonly finding: Finding;
  readonly record: LockRecord | undefined;
  /** What a supervisor that answers says. */
  readonly report: StatusReport | undefined;
}

/** Undefined where there is no project to speak of. @throws the signal's reason. */
export async function lookAtLock(
  world: World,
  flags: ClusterFlags,
  signal: AbortSignal,
): Promise<LockLook | undefined> {
  const { runtime } = world;
  try {
    const project = runtime.find(chosenProject(world, flags));
    if (project === undefined) return undefined;
    const state = await runtime.look(project, signal);
    const finding = lockFinding(world, state, () => {
      if (state.kind === "unresponsive" || state.kind === "elsewhere" || state.kind === "damaged")
        return runtime.trouble(project, state);
      return undefined;
    });
    if (state.kind !== "alive") return { finding, record: undefined, report: undefined };
    const client = await runtime.connect(project, state.record, signal);
    try {
      return { finding, record: state.record, report: await client.status() };
    } finally {
      await client[Symbol.asyncDispose]();
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const error = KfwdError.from(thrown);
    if (error.code === "CONFIG_NOT_FOUND") return undefined;
    return { finding: troubleFinding("lock", undefined, error), record: undefined, report: undefined };
  }
}

function lockFinding(world: World, state: LockState, trouble: () => unknown): Finding {
  const finding = (kind: Finding["state"], says: string, hint?: string): Finding => ({
    id: "lock",
    state: kind,
    says,
    ...(hint !== undefined && { hint }),
  });
  switch (state.kind) {
    case "none":
      return finding("good", "no supervisor runs for this project");
    case "alive": {
      const { pid, mode, kfwdVersion } = state.record;
      const says = `supervisor of kfwd ${kfwdVersion} runs, pid ${pid}, ${mode}`;
      if (kfwdVersion === world.version) return finding("good", says);
      return finding("warn", `${says}; this is kfwd ${world.version}`, "kfwd down, then kfwd up");
    }
    case "dead":
      return finding(
        "warn",
        `the supervisor with pid ${state.record.pid} ${deathText(state.why)}; its lock is still there`,
        "kfwd up takes over, kfwd down removes what is left",
      );
    case "unresponsive":
    case "elsewhere":
    case "damaged":
      return troubleFinding("lock", undefined, KfwdError.from(trouble()));
  }
}

/** Whether the forwards' local ports are to be had, or theirs already. */
export function portFindings(
  world: World,
  forwards: readonly ForwardSpec[],
  record: LockRecord | undefined,
): Promise<readonly Finding[]> {
  return Promise.all(forwards.map((forward) => portFinding(world, forward, record)));
}

async function portFinding(
  { runtime }: World,
  forward: ForwardSpec,
  record: LockRecord | undefined,
): Promise<Finding> {
  const { name, local, protocol } = forward;
  const finding = (says: string): Finding => ({ id: "port", about: name, state: "good", says });
  if (record?.forwards.some((one) => one.name === name && one.protocol === protocol && one.port === local)) {
    return finding("held by the supervisor of this project");
  }
  if (local === "auto") return finding("any that is free");
  try {
    await runtime.tryPort(forward, local);
    return finding("free");
  } catch (thrown) {
    return troubleFinding("port", name, KfwdError.from(thrown));
  }
}

/** Which image relays run. */
export function imageFindings(forwards: readonly ForwardSpec[], usual: string): readonly Finding[] {
  const images = forwards.filter(isRelayed).map(({ relay }) => relay?.image ?? usual);
  return [...new Set(images)].map((image): Finding => {
    const how = image.includes("@sha256:") ? "by its digest" : "by its tag, which may come to mean another";
    return {
      id: "image",
      state: "good",
      says: `relays run ${image}, ${how}; whether it can be pulled shows when one starts`,
    };
  });
}
