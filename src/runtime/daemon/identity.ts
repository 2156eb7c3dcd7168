/** Which process is which, so that no signal ever reaches the wrong one. Linux can tell; macOS and Windows mostly not. */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { ProcessIdentity } from "../wire/lockrecord.ts";
import { errnoOf } from "../../errno.ts";

/** Who this process is. Facts that the platform does not give are null. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTicks: ownStartTicks(),
    bootId: readText("/proc/sys/kernel/random/boot_id"),
    pidNs: readLink("/proc/self/ns/pid"),
    timeNs: readLink("/proc/self/ns/time"),
    netNs: readLink("/proc/self/ns/net"),
    host: hostname(),
  };
}

/**
 * Where another process runs, as seen from `here`.
 * - `here`: its pid means the same to us
 * - `container`: the same kernel, but another PID namespace: its sockets reach, its pid means nothing
 * - `rebooted`: this machine before its last start, so it is gone
 * - `elsewhere`: another machine
 */
export type Location = "here" | "container" | "rebooted" | "elsewhere";

export function locate(other: ProcessIdentity, here: ProcessIdentity): Location {
  if (other.bootId === null || here.bootId === null) return other.host === here.host ? "here" : "elsewhere";
  if (other.bootId === here.bootId) return other.pidNs === here.pidNs ? "here" : "container";
  return other.host === here.host ? "rebooted" : "elsewhere";
}

/**
 * Whether a process still runs.
 * - `alive`: proven to be the very same
 * - `gone`: no such process, or it has ended and nobody has collected it
 * - `other`: its pid belongs to another process now
 * - `unknowable`: a process has that pid, and nothing tells which
 */
export type Sameness = "alive" | "gone" | "other" | "unknowable";

export function sameProcess(other: ProcessIdentity, here: ProcessIdentity): Sameness {
  switch (locate(other, here)) {
    case "rebooted":
      return "gone";
    case "container":
    case "elsewhere":
      return "unknowable";
    case "here":
  }
  if (!isProcessId(other.pid)) return "gone";
  if (here.startTicks === null) return existence(other.pid);
  const stat = readStat(other.pid);
  if (stat === "unreadable") return "unknowable";
  if (stat === "absent" || hasEnded(stat)) return "gone";
  if (other.startTicks === null || other.timeNs !== here.timeNs) return "unknowable";
  return stat.startTicks === other.startTicks ? "alive" : "other";
}

/** Whether a process is stopped (SIGSTOP, a debugger): it gets no other signal than SIGKILL then. Linux only. */
export function isStopped(pid: number): boolean {
  const stat = readStat(pid);
  return typeof stat === "object" && /[Tt]/.test(stat.state);
}

/**
 * Sends a signal, if the process is proven to be the one meant right before. Never to this process, its parent, init,
 * a group or everyone: kill(2) takes 0 and negative numbers for groups.
 */
export function signalProcess(
  other: ProcessIdentity,
  here: ProcessIdentity,
  signal: "SIGTERM" | "SIGKILL",
): "sent" | "gone" | "unproven" {
  const { pid } = other;
  if (!isProcessId(pid) || [1, process.pid, process.ppid].includes(pid)) return "unproven";
  const same = sameProcess(other, here);
  if (same === "gone" || same === "other") return "gone";
  if (same === "unknowable") return "unproven";
  try {
    process.kill(pid, signal);
    return "sent";
  } catch (thrown) {
    return errnoOf(thrown) === "ESRCH" ? "gone" : "unproven";
  }
}

/** A number that can name one process: below are groups, above nothing. */
function isProcessId(pid: number): boolean {
  return Number.isInteger(pid) && pid >= 1 && pid <= 2 ** 31 - 1;
}

function existence(pid: number): Sameness {
  try {
    process.kill(pid, 0);
    return "unknowable";
  } catch (thrown) {
    return errnoOf(thrown) === "ESRCH" ? "gone" : "unknowable";
  }
}

/** What proc(5) calls `stat`, as far as it matters. */
interface ProcessStat {
  /** `R`, `S`, `D`, `Z` (ended, not collected), `T` (stopped) and others: that of the first thread. */
  readonly state: string;
  readonly threads: number;
  readonly startTicks: number;
}

/** Nobody has collected it, but nothing of it is left: as long as one thread dies, its sockets may still be open. */
function hasEnded({ state, threads }: ProcessStat): boolean {
  return (state === "Z" || state === "X") && threads <= 1;
}

function ownStartTicks(): number | null {
  const stat = readStat("self");
  return typeof stat === "object" ? stat.startTicks : null;
}

/** `unreadable` proves nothing: this process may be out of file descriptors. */
function readStat(pid: number | "self"): ProcessStat | "absent" | "unreadable" {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? "unreadable";
  } catch (thrown) {
    const errno = errnoOf(thrown);
    return errno === "ENOENT" || errno === "ESRCH" ? "absent" : "unreadable";
  }
}

/** Fields are counted from the last `)`: a program may call itself `) S 1 (a b`. */
export function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0]; // field 3
  const threads = Number(fields[17]); // field 20
  const startTicks = Number(fields[19]); // field 22
  if (state === undefined || !/^[A-Za-z]$/.test(state) || !Number.isSafeInteger(startTicks)) return undefined;
  return { state, threads, startTicks };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
