/** All projects of a user, and how each fares: asked side by side, so that one that hangs holds up no other. */
import { KfwdError } from "../errors.ts";
import type { StatusReport } from "./core/status.ts";
import { connectControl } from "./daemon/controlclient.ts";
import { inspect, lockTrouble, type LockState } from "./daemon/inspect.ts";
import { findRuntimeFolder } from "./daemon/place.ts";
import { listProjects, type ProjectFiles } from "./daemon/projectfiles.ts";
import { readLock } from "./daemon/readlock.ts";
import type { Surroundings } from "./projects.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

/** A supervisor answers from memory; one that has not after so long hangs, or its machine is very busy. */
const LIST_MS = 2_000;

/**
 * How a project fares.
 * - `running`: its supervisor answers; `drainLeftMs` is there while it is being stopped
 * - `trouble`: it does not answer, is out of reach, or its lock cannot be read; `error` says which
 * - `dead`: it has ended without removing its lock
 */
export type Fate =
  | { readonly kind: "running"; readonly report: StatusReport; readonly drainLeftMs: number | undefined }
  | {
      readonly kind: "trouble";
      readonly state: "unresponsive" | "elsewhere" | "damaged";
      readonly error: KfwdError;
    }
  | { readonly kind: "dead"; readonly state: Extract<LockState, { readonly kind: "dead" }> };

/** A project that has a lock. */
export interface Listed {
  readonly files: ProjectFiles;
  /** Undefined where the lock cannot be read. */
  readonly record: LockRecord | undefined;
  readonly fate: Fate;
}

/** Takes {@link LIST_MS} at most, however many there are. @throws KfwdError `RUNTIME_FOLDER`; the signal's reason. */
export async function listAll(around: Surroundings, signal: AbortSignal): Promise<readonly Listed[]> {
  const late = new AbortController();
  const timer = around.lockDeps.clock.timer(LIST_MS, () => late.abort());
  try {
    const either = AbortSignal.any([signal, late.signal]);
    const asking = listProjects(findRuntimeFolder(around.facts)).map((files) => ask(around, files, either));
    const listed = await Promise.all(asking);
    signal.throwIfAborted();
    return listed.filter((one) => one !== undefined);
  } finally {
    timer[Symbol.dispose]();
  }
}

/** Undefined: it has no lock, or none any more. Never rejects. */
async function ask(
  { lockDeps, facts }: Surroundings,
  files: ProjectFiles,
  signal: AbortSignal,
): Promise<Listed | undefined> {
  const reading = readLock(files.lock, facts.uid);
  if (reading.kind === "none") return undefined;
  const record = reading.kind === "value" ? reading.value : undefined;
  const trouble = (state: "unresponsive" | "damaged", error: KfwdError): Listed => ({
    files,
    record,
    fate: { kind: "trouble", state, error },
  });
  try {
    const state = await inspect(lockDeps, files, signal);
    switch (state.kind) {
      case "none":
        return undefined;
      case "dead":
        return { files, record: state.record, fate: { kind: "dead", state } };
      case "unresponsive":
      case "elsewhere":
      case "damaged": {
        const fate = { kind: "trouble", state: state.kind, error: lockTrouble(state, files) } as const;
        return { files, record, fate };
      }
      case "alive":
    }
    await using client = await connectControl(lockDeps, state.record, { timeoutMs: LIST_MS, signal });
    const { drainLeftMs } = client.hello;
    return {
      files,
      record: state.record,
      fate: { kind: "running", report: await client.status(), drainLeftMs },
    };
  } catch (thrown) {
    if (signal.aborted && record)
      return trouble("unresponsive", lockTrouble({ kind: "unresponsive", record, owner: "unproven" }, files));
    const error = KfwdError.from(thrown);
    // It ended while we asked.
    if (error.code === "NOT_RUNNING") return undefined;
    return trouble(record === undefined ? "damaged" : "unresponsive", error);
  }
}
