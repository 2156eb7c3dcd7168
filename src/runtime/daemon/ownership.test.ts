import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import {
  factsOf,
  longGone,
  never,
  projectIn,
  realDeps,
  recordOf,
  tempFolder,
} from "../../../test/fakes/lockfolder.ts";
import { idleControl } from "../../../test/puppets/idlecontrol.ts";
import type { LogFields } from "../deps.ts";
import { encodeLock } from "../wire/lockrecord.ts";
import { connectControl } from "./controlclient.ts";
import { inspect } from "./inspect.ts";
import { CHECK_MS, claimProject, type Claimed, type Ownership, type OwnershipDeps } from "./ownership.ts";
import type { ProjectFiles } from "./projectfiles.ts";

const about = {
  project: "shop",
  config: { path: null, sha256: "" },
  log: "/nowhere/kfwd.log",
  startedAt: "2026-11-21T10:00:00.000Z",
  mode: "foreground",
} as const;

function claim(files: ProjectFiles, over: Partial<OwnershipDeps> = {}): Promise<Claimed> {
  const request = { files, facts: factsOf({}), control: idleControl, about };
  return claimProject({ ...realDeps, ...over }, request, new AbortController().signal);
}

async function owned(files: ProjectFiles, over: Partial<OwnershipDeps> = {}): Promise<Ownership> {
  const claimed = await claim(files, over);
  if (claimed.kind === "held") throw new Error(`held: ${claimed.holder.kind}`);
  onTestFinished(() => claimed.ownership[Symbol.asyncDispose]());
  return claimed.ownership;
}

describe("claimProject", () => {
  test("makes this process one that others find alive, and can talk to", async () => {
    const files = projectIn(tempFolder());
    const { record } = await owned(files);
    expect(record).toMatchObject({ ...about, ...realDeps.here, state: "starting", kfwdVersion: "1.2.3" });
    expect(await inspect(realDeps, files, never)).toMatchObject({ kind: "alive", record });
    const client = await connectControl(realDeps, record, { timeoutMs: 1_000, signal: never });
    expect(await client.stop({ names: null, drainMs: 0 })).toEqual({ stopped: [] });
    await client[Symbol.asyncDispose]();
  });

  test("leaves a project that is taken as it is", async () => {
    const files = projectIn(tempFolder());
    const { record } = await owned(files);
    const before = readdirSync(files.folder);
    expect(await claim(files)).toMatchObject({ kind: "held", holder: { kind: "alive", record } });
    expect(readdirSync(files.folder)).toEqual(before);
  });

  test("gives exactly one of many the project, and the others leave nothing behind", async () => {
    const files = projectIn(tempFolder());
    const all = await Promise.all(Array.from({ length: 16 }, () => claim(files)));
    const winners = all.filter((claimed) => claimed.kind === "owned");
    expect(winners.length).toBe(1);
    expect(readdirSync(files.folder).length).toBe(2); // the lock and its socket
    for (const winner of winners) await winner.ownership[Symbol.asyncDispose]();
    expect(readdirSync(dirname(files.folder))).toEqual([]);
  });

  test("leaves nothing behind when many come and go at once", async () => {
    const files = projectIn(tempFolder());
    const visit = async (): Promise<void> => {
      const claimed = await claim(files);
      if (claimed.kind === "owned") await claimed.ownership[Symbol.asyncDispose]();
    };
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 8 }, visit));
      expect(readdirSync(dirname(files.folder))).toEqual([]);
    }
  });

  test("moves in after a dead owner", async () => {
    const files = projectIn(tempFolder());
    mkdirSync(files.folder, { mode: 0o700 });
    writeFileSync(files.lock, encodeLock(recordOf(longGone)));
    const { record } = await owned(files);
    expect(await inspect(realDeps, files, never)).toMatchObject({ kind: "alive", record });
  });

  test("leaves nothing behind when it fails", async () => {
    const files = projectIn(tempFolder());
    const clock = Object.create(realDeps.clock, {
      sleep: { value: () => Promise.reject(new Error("enough")) },
    }) as typeof realDeps.clock;
    mkdirSync(files.folder, { mode: 0o700 });
    // A dead owner's lock, and a living reaper that never gets on.
    const dead = recordOf(longGone);
    writeFileSync(files.lock, encodeLock(dead));
    writeFileSync(join(files.folder, `reap.${dead.instance}`), encodeLock(recordOf()));
    await expect(claim(files, { clock })).rejects.toThrow("enough");
    expect(readdirSync(files.folder).sort()).toEqual(["lock", `reap.${dead.instance}`]);
  });
});

describe("an ownership", () => {
  test("gives everything back", async () => {
    const files = projectIn(tempFolder());
    const ownership = await owned(files);
    await ownership.update({ state: "ready" });
    await ownership[Symbol.asyncDispose]();
    expect(readdirSync(dirname(files.folder))).toEqual([]);
    expect(await inspect(realDeps, files, never)).toEqual({ kind: "none" });
  });

  test("puts everything back after its folder was removed, and says so once", async () => {
    const logged: (LogFields | undefined)[] = [];
    const log = { ...realDeps.log, warn: (_: string, fields?: LogFields) => void logged.push(fields) };
    const files = projectIn(join(tempFolder(), "run"));
    const ownership = await owned(files, { log });
    rmSync(dirname(files.folder), { recursive: true });
    expect(await ownership.check()).toBeUndefined();
    expect(await ownership.check()).toBeUndefined();
    expect(await inspect(realDeps, files, never)).toMatchObject({ kind: "alive" });
    expect(logged).toEqual([{ health: "restored/restored", why: undefined }]);
  });

  test("is lost at the next look when another has the lock", async () => {
    const clock = new FakeClock();
    const files = projectIn(tempFolder());
    const ownership = await owned(files, { clock });
    const guarding = ownership.guard(never);
    await clock.advance(CHECK_MS);
    writeFileSync(files.lock, encodeLock(recordOf({ pid: 77 })));
    const reasons: string[] = [];
    void guarding.then((reason) => reasons.push(reason));
    while (reasons.length === 0) await clock.advance(CHECK_MS);
    expect(reasons).toEqual(["another supervisor (pid 77) has taken the lock"]);
  });

  test("is guarded until the signal", async () => {
    const controller = new AbortController();
    const ownership = await owned(projectIn(tempFolder()));
    const guarding = expect(ownership.guard(controller.signal)).rejects.toThrow("enough");
    controller.abort(new Error("enough"));
    await guarding;
  });
});
