import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi, type Mock } from "vitest";
import {
  longGone,
  never,
  projectIn,
  realDeps,
  recordOf,
  tempFolder,
} from "../../../test/fakes/lockfolder.ts";
import { end, ownerPuppet } from "../../../test/fakes/owner.ts";
import type { Clock } from "../deps.ts";
import { encodeLock, type LockRecord } from "../wire/lockrecord.ts";
import { parseStat } from "./identity.ts";
import { inspect } from "./inspect.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { terminate, type Terminated } from "./terminate.ts";

interface Ended {
  readonly result: Terminated;
  readonly steps: readonly string[];
  readonly ms: number;
}

async function down(files: ProjectFiles, manner: "ask" | "force" = "ask", deps = realDeps): Promise<Ended> {
  const steps: string[] = [];
  const startedMs = performance.now();
  const options = { drainMs: 0, manner, onStep: (step: string) => void steps.push(step), signal: never };
  const result = await terminate(deps, files, await inspect(deps, files, never), options);
  return { result, steps, ms: performance.now() - startedMs };
}

function lockedBy(record: LockRecord): ProjectFiles {
  const files = projectIn(tempFolder());
  mkdirSync(files.folder, { mode: 0o700 });
  writeFileSync(files.lock, encodeLock(record));
  return files;
}

function isEmpty(files: ProjectFiles): boolean {
  return readdirSync(dirname(files.folder)).length === 0;
}

describe("terminate", () => {
  test("has nothing to do where nobody is", async () => {
    expect((await down(projectIn(tempFolder()))).result).toEqual({ kind: "nothing" });
  });

  test("clears up after the dead, without touching what the lock names elsewhere", async () => {
    const bystander = join(tempFolder(), "precious.txt");
    writeFileSync(bystander, "");
    const files = lockedBy(recordOf({ ...longGone, socket: bystander }));
    writeFileSync(join(files.folder, "0a1b2c3d.sock"), "");
    expect((await down(files)).result).toMatchObject({ kind: "reaped", why: "crashed" });
    expect(isEmpty(files)).toBe(true);
    expect(existsSync(bystander)).toBe(true);
  });

  test.each([
    { name: "a process of another machine", over: { bootId: "b", host: "h" }, code: "OWNED_ELSEWHERE" },
    { name: "a process of another container", over: { pidNs: "pid:[1]" }, code: "OWNED_ELSEWHERE" },
    { name: "this process", over: {}, code: "OWNER_UNPROVEN" },
    { name: "a process of unknown start", over: { startTicks: null }, code: "OWNER_UNPROVEN" },
    { name: "init", over: lockOf(1), code: "OWNER_UNPROVEN" },
    { name: "its own parent", over: lockOf(process.ppid), code: "OWNER_UNPROVEN" },
  ])("signals nobody and changes nothing when the lock names $name", async ({ over, code }) => {
    const kill = vi.spyOn(process, "kill").mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    const files = lockedBy(recordOf(over));
    const before = readFileSync(files.lock);
    for (const manner of ["ask", "force"] as const) {
      await expect(down(files, manner)).rejects.toMatchObject({ code });
    }
    expect(signalsOf(kill)).toEqual([]);
    expect(readFileSync(files.lock)).toEqual(before);
  });

  test("signals nobody when the lock is damaged", async () => {
    const files = lockedBy(recordOf());
    writeFileSync(files.lock, JSON.stringify({ ...recordOf(), pid: -1 }));
    await expect(down(files, "force")).rejects.toMatchObject({ code: "LOCK_DAMAGED" });
  });

  test("leaves a process alone that has got the dead owner's pid, and clears up", async () => {
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    onTestFinished(() => end(child));
    await once(child, "spawn");
    const files = lockedBy(recordOf({ pid: child.pid!, startTicks: 1 }));
    expect((await down(files, "force")).result).toMatchObject({ kind: "reaped" });
    expect(child.signalCode).toBeNull();
    expect(isEmpty(files)).toBe(true);
  });
});

/** What a lock says of a process that runs. */
function lockOf(pid: number): Partial<LockRecord> {
  const stat = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return { pid, startTicks: stat?.startTicks ?? null };
}

/** A clock whose sleeps of 50 ms take a little real time, for a process to die in, and its timers a tenth. */
function hastyClock(): Clock {
  let nowMs = 0;
  const sleep = (ms: number): Promise<void> => ((nowMs += ms), new Promise((done) => setTimeout(done, 2)));
  const { clock } = realDeps;
  return { ...clock, now: () => nowMs, sleep, timer: (ms, fire) => clock.timer(ms / 10, fire) };
}

/** Signals that were sent; 0 only asks whether a process is there. */
function signalsOf(kill: Mock<typeof process.kill>): readonly unknown[] {
  return kill.mock.calls.filter(([, signal]) => signal !== 0);
}

describe("a supervisor in another process", () => {
  const startOwner = ownerPuppet();

  function exitOf(child: ChildProcess): Promise<unknown> {
    return once(child, "exit");
  }

  test("ends as asked, and everything of it is gone", async () => {
    const files = projectIn(tempFolder());
    const exit = exitOf(await startOwner(files));
    const { result, steps } = await down(files);
    expect([result.kind, steps]).toEqual(["stopped", []]);
    expect(isEmpty(files)).toBe(true);
    expect(await exit).toEqual([0, null]);
  });

  test("that is stopped ends by SIGKILL within three seconds when forced", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    const exit = exitOf(child);
    child.kill("SIGSTOP");
    const { result, steps, ms } = await down(files, "force");
    expect([result.kind, steps]).toEqual(["signalled", ["SIGKILL"]]);
    expect(ms).toBeLessThan(3_000);
    expect(isEmpty(files)).toBe(true);
    expect(await exit).toEqual([null, "SIGKILL"]);
  });

  test("that hangs ends by SIGTERM or SIGKILL when forced", async () => {
    const files = projectIn(tempFolder());
    const exit = exitOf(await startOwner(files, "hung"));
    const { result, steps } = await down(files, "force");
    expect([result.kind, steps]).toEqual(["signalled", ["SIGTERM", "SIGKILL"]]);
    expect(isEmpty(files)).toBe(true);
    expect(await exit).toEqual([null, "SIGKILL"]);
  });

  test("that obeys nothing gets five seconds after its answer, ten after SIGTERM, and lives unless forced", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files, "deaf");
    const clock = hastyClock();
    const kill = vi.spyOn(process, "kill");
    onTestFinished(() => kill.mockRestore());
    await expect(down(files, "ask", { ...realDeps, clock })).rejects.toMatchObject({
      code: "UNRESPONSIVE",
      message: `cannot end the supervisor of project "shop" (pid ${child.pid}): it does not obey SIGTERM`,
      hint: "kfwd down --force",
    });
    expect(signalsOf(kill)).toEqual([[child.pid, "SIGTERM"]]);
    expect(clock.now()).toBeGreaterThanOrEqual(15_000);
    expect(clock.now()).toBeLessThan(18_000);
    expect(existsSync(files.lock)).toBe(true);
    expect(child.signalCode).toBeNull();
    const exit = exitOf(child);
    expect((await down(files, "force")).steps).toEqual(["SIGTERM", "SIGKILL"]);
    expect(isEmpty(files)).toBe(true);
    expect(await exit).toEqual([null, "SIGKILL"]);
  });

  test("that is frozen is asked, then told by SIGTERM, which it obeys when it goes on", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    const exit = exitOf(child);
    child.kill("SIGSTOP");
    const clock = hastyClock();
    const asked: string[] = [];
    const look = inspect(realDeps, files, never);
    const options = { drainMs: 0, manner: "ask", onStep: (step: string) => void asked.push(step) } as const;
    const ending = look.then((found) =>
      terminate({ ...realDeps, clock }, files, found, { ...options, signal: never }),
    );
    await expect(ending).rejects.toMatchObject({
      code: "UNRESPONSIVE",
      message: `cannot end the supervisor of project "shop" (pid ${child.pid}): it is suspended, so SIGTERM has to wait`,
    });
    expect(asked).toEqual(["SIGTERM"]);
    child.kill("SIGCONT");
    expect(await exit).toEqual([0, null]);
    expect(isEmpty(files)).toBe(true);
  });

  test("that hangs for a moment only ends as asked, without a signal", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    const exit = exitOf(child);
    child.kill("SIGSTOP");
    const found = await inspect(realDeps, files, never);
    expect(found.kind).toBe("unresponsive");
    const steps: string[] = [];
    const options = { drainMs: 0, manner: "ask", onStep: (step: string) => void steps.push(step) } as const;
    const ending = terminate(realDeps, files, found, { ...options, signal: never });
    child.kill("SIGCONT");
    expect([await ending, steps]).toMatchObject([{ kind: "stopped" }, []]);
    expect(await exit).toEqual([0, null]);
  });

  test("that was killed between the look and the asking is cleared up after", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    const found = await inspect(realDeps, files, never);
    await end(child);
    const options = { drainMs: 0, manner: "ask", onStep: () => {}, signal: never } as const;
    expect(await terminate(realDeps, files, found, options)).toMatchObject({ kind: "stopped" });
    expect(isEmpty(files)).toBe(true);
  });

  test("is not waited for any longer when the signal says so", async () => {
    const files = projectIn(tempFolder());
    await startOwner(files, "deaf");
    const controller = new AbortController();
    const found = await inspect(realDeps, files, never);
    const ending = terminate(realDeps, files, found, {
      drainMs: 0,
      manner: "ask",
      onStep: () => {},
      signal: controller.signal,
    });
    const failing = expect(ending).rejects.toThrow("enough");
    controller.abort(new Error("enough"));
    await failing;
  });

  test("whose socket is another's by now ends by signal", async () => {
    const files = projectIn(tempFolder());
    const exit = exitOf(await startOwner(files));
    const found = await inspect(realDeps, files, never);
    if (found.kind !== "alive") throw new Error(found.kind);
    const impostor = createServer((socket) => void socket.on("error", () => {}).end("no\n"));
    rmSync(found.record.socket);
    await new Promise<void>((resolve) => impostor.listen(found.record.socket, resolve));
    onTestFinished(() => void impostor.close());
    const { result, steps } = await down(files, "force");
    expect([result.kind, steps]).toEqual(["signalled", ["SIGTERM"]]);
    await exit;
  });
});
