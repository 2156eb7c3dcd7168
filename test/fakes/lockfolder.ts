/** Temporary folders, lock records and dependencies for tests of the daemon room. */
import fs, { mkdtempSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { realClock } from "../../src/runtime/clock.ts";
import { ControlServer } from "../../src/runtime/daemon/controlserver.ts";
import type { ServeDeps } from "../../src/runtime/daemon/controlpeer.ts";
import { ownIdentity } from "../../src/runtime/daemon/identity.ts";
import type { OwnershipDeps } from "../../src/runtime/daemon/ownership.ts";
import type { PlaceFacts } from "../../src/runtime/daemon/place.ts";
import { projectFiles, type ProjectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { newInstance } from "../../src/runtime/daemon/proof.ts";
import type { LockRecord } from "../../src/runtime/wire/lockrecord.ts";
import { silentLog } from "../puppets/idlecontrol.ts";

export const uid = process.geteuid?.();

/** A signal that nobody aborts. */
export const never = new AbortController().signal;

/** A folder of its own, 0700, that goes with the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kfwd-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function projectIn(folder: string, id = "0123456789abcdef"): ProjectFiles {
  return projectFiles(folder, id);
}

export function factsOf(env: Record<string, string>, over: Partial<PlaceFacts> = {}): PlaceFacts {
  return { env, uid, platform: process.platform, home: "/nowhere", ...over };
}

/** The real clock and this very process. */
export const realDeps: OwnershipDeps = {
  clock: realClock,
  log: silentLog,
  version: "1.2.3",
  uid,
  here: ownIdentity(),
};

/** Runs something while this process can open no file. */
export async function withoutDescriptors<T>(run: () => T | Promise<T>): Promise<T> {
  const { openSync } = fs;
  const refuse = (): never => {
    throw Object.assign(new Error("EMFILE: too many open files, open"), { code: "EMFILE", syscall: "open" });
  };
  fs.openSync = refuse;
  syncBuiltinESMExports();
  try {
    return await run();
  } finally {
    fs.openSync = openSync;
    syncBuiltinESMExports();
  }
}

/** What this process would write into a lock; nothing listens at its socket. */
export function recordOf(over: Partial<LockRecord> = {}): LockRecord {
  return {
    schema: 1,
    instance: newInstance(),
    ...realDeps.here,
    uid: uid ?? null,
    kfwdVersion: "1.2.3",
    nodeVersion: process.version,
    protocol: { min: 1, max: 1 },
    project: "shop",
    config: { path: "/home/ann/shop/forwards.yaml", sha256: "ab".repeat(32) },
    socket: "/nowhere/deadbeef.sock",
    log: "/nowhere/kfwd.log",
    startedAt: "2026-11-21T10:00:00.000Z",
    mode: "detached",
    state: "ready",
    forwards: [{ name: "api", protocol: "tcp", bind: ["localhost"], port: 8080 }],
    stopped: [],
    owners: [],
    relays: [],
    lastWords: null,
    ...over,
  };
}

/** A process that has ended: its pid may be given again, but never with these ticks. */
export const longGone = { pid: 4_000_000, startTicks: 1 };

/** Serves a supervisor at this path. */
export async function serveControl(deps: ServeDeps, path: string): Promise<ControlServer> {
  const server = new ControlServer(deps, path);
  await server.open();
  return server;
}
