import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { longGone } from "../../../test/fakes/lockfolder.ts";
import type { ProcessIdentity } from "../wire/lockrecord.ts";
import { isStopped, locate, ownIdentity, parseStat, sameProcess, signalProcess } from "./identity.ts";

const here = ownIdentity();
const onLinux = process.platform === "linux" ? describe : describe.skip;

/** A child that does nothing, and who it is. */
async function sleeper(): Promise<{ readonly child: ChildProcess; readonly identity: ProcessIdentity }> {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  const pid = child.pid!;
  const { startTicks } = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"))!;
  return { child, identity: { ...here, pid, startTicks } };
}

describe("parseStat", () => {
  const rest =
    "S 1 400905 400905 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 11 0 123456 1000 200 18446744073709551615";
  test.each([
    { name: "an ordinary name", text: `400905 (node) ${rest}` },
    { name: "a name with spaces and parentheses", text: `400905 () S 1 (a b) ${rest}` },
    { name: "a name that looks like fields", text: `400905 (x) R 1 2 3 4) ${rest}` },
  ])("reads state, threads and start time after $name", ({ text }) => {
    expect(parseStat(text)).toEqual({ state: "S", threads: 11, startTicks: 123_456 });
  });

  test.each(["", "1 (x", "1 (x) ", "1 (x) S 1 2"])("does not guess from %j", (text) => {
    expect(parseStat(text)).toBeUndefined();
  });
});

describe("locate", () => {
  const base = { ...here, bootId: "boot", pidNs: "pid:[1]", host: "box" };
  test.each([
    { name: "the same everything", other: base, wanted: "here" },
    { name: "a laptop that was renamed", other: { ...base, host: "box.local" }, wanted: "here" },
    {
      name: "another container of this machine",
      other: { ...base, pidNs: "pid:[2]", host: "c1" },
      wanted: "container",
    },
    { name: "this machine before a reboot", other: { ...base, bootId: "old" }, wanted: "rebooted" },
    { name: "another machine", other: { ...base, bootId: "b2", host: "other" }, wanted: "elsewhere" },
    { name: "no boot id, same host", other: { ...base, bootId: null }, wanted: "here" },
    {
      name: "no boot id, another host",
      other: { ...base, bootId: null, host: "other" },
      wanted: "elsewhere",
    },
  ])("$name is $wanted", ({ other, wanted }) => expect(locate(other, base)).toBe(wanted));
});

onLinux("sameProcess", () => {
  test("knows this process", () => {
    expect(here.startTicks).toBeGreaterThan(0);
    expect(sameProcess(here, here)).toBe("alive");
  });

  test("tells a process from one that had its pid before", async () => {
    const { identity } = await sleeper();
    expect(sameProcess(identity, here)).toBe("alive");
    expect(sameProcess({ ...identity, startTicks: identity.startTicks! - 1 }, here)).toBe("other");
  });

  test("knows that a process has ended, even if nobody has collected it", async () => {
    const { child, identity } = await sleeper();
    process.kill(child.pid!, "SIGKILL");
    // The event loop does not run here, so the child stays a zombie.
    const untilMs = performance.now() + 5_000;
    while (sameProcess(identity, here) !== "gone" && performance.now() < untilMs);
    expect(readFileSync(`/proc/${child.pid}/stat`, "utf8")).toContain(") Z ");
    expect(sameProcess(identity, here)).toBe("gone");
    await once(child, "exit");
    expect(sameProcess(identity, here)).toBe("gone");
  });

  test.each([
    { name: "a pid that nobody has", other: longGone, wanted: "gone" },
    { name: "a pid of 0", other: { pid: 0 }, wanted: "gone" },
    { name: "a process before the reboot", other: { bootId: "old" }, wanted: "gone" },
    { name: "another container's", other: { pidNs: "pid:[1]" }, wanted: "unknowable" },
    { name: "another machine's", other: { bootId: "b", host: "h" }, wanted: "unknowable" },
    { name: "one without a start time", other: { startTicks: null }, wanted: "unknowable" },
    { name: "one that counts time otherwise", other: { timeNs: "time:[1]" }, wanted: "unknowable" },
  ])("$name is $wanted", ({ other, wanted }) => {
    expect(sameProcess({ ...here, ...other }, here)).toBe(wanted);
  });

  test("where /proc tells no start time, a living pid proves nothing and a dead one is gone", () => {
    const blind = { ...here, startTicks: null };
    expect(sameProcess(here, blind)).toBe("unknowable");
    expect(sameProcess({ ...here, pid: 4_000_000 }, blind)).toBe("gone");
  });
});

onLinux("signalProcess", () => {
  test("ends the very process", async () => {
    const { child, identity } = await sleeper();
    const exit = once(child, "exit");
    expect(signalProcess(identity, here, "SIGTERM")).toBe("sent");
    expect(await exit).toEqual([null, "SIGTERM"]);
    expect(signalProcess(identity, here, "SIGTERM")).toBe("gone");
  });

  test.each([
    { name: "this process", other: { pid: process.pid }, wanted: "unproven" },
    { name: "its parent", other: { pid: process.ppid }, wanted: "unproven" },
    { name: "pid 0, our group", other: { pid: 0 }, wanted: "unproven" },
    { name: "pid -1, everyone", other: { pid: -1 }, wanted: "unproven" },
    { name: "pid 1", other: { pid: 1 }, wanted: "unproven" },
    { name: "pid 2^31", other: { pid: 2 ** 31 }, wanted: "unproven" },
    { name: "half a pid", other: { pid: 2.5 }, wanted: "unproven" },
    { name: "another container's process", other: { pidNs: "pid:[1]" }, wanted: "unproven" },
    { name: "a process without a known start", other: { startTicks: null }, wanted: "unproven" },
    { name: "a pid that another process has now", other: { startTicks: 1 }, wanted: "gone" },
    { name: "a process before the reboot", other: { bootId: "old" }, wanted: "gone" },
  ])("leaves $name alone", async ({ other, wanted }) => {
    const { identity } = await sleeper();
    const kill = vi.spyOn(process, "kill").mockReturnValue(true); // a guard that fails must not end this machine
    onTestFinished(() => kill.mockRestore());
    expect(signalProcess({ ...identity, ...other }, here, "SIGKILL")).toBe(wanted);
    expect(kill).not.toHaveBeenCalled();
  });

  test("leaves pid 1 alone even if it is proven to be the one meant: it is init, or a container's main process", () => {
    const startTicks = parseStat(readFileSync("/proc/1/stat", "utf8"))?.startTicks ?? null;
    const init = { ...here, pid: 1, startTicks };
    expect(sameProcess(init, here)).toBe("alive");
    const kill = vi.spyOn(process, "kill").mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    expect(signalProcess(init, here, "SIGTERM")).toBe("unproven");
    expect(kill).not.toHaveBeenCalled();
  });
});

onLinux("isStopped", () => {
  test("tells a stopped process from a running one", async () => {
    const { child } = await sleeper();
    expect(isStopped(child.pid!)).toBe(false);
    child.kill("SIGSTOP");
    const untilMs = performance.now() + 5_000;
    while (!isStopped(child.pid!) && performance.now() < untilMs);
    expect(isStopped(child.pid!)).toBe(true);
  });
});
