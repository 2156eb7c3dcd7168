import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { tempFolder } from "../../../test/fakes/lockfolder.ts";
import type { LogFields } from "../deps.ts";
import { FileLog } from "./log.ts";
import { tailLog } from "./taillog.ts";

interface Rig {
  readonly clock: FakeClock;
  readonly log: FileLog;
  readonly path: string;
  lines(): Record<string, unknown>[];
}

function rig(path = join(tempFolder(), "state", "kfwd.log")): Rig {
  const clock = new FakeClock();
  const log = new FileLog(clock, path);
  onTestFinished(() => log[Symbol.dispose]());
  const lines = () =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { clock, log, path, lines };
}

describe("a log line", () => {
  test("is JSON with its time first, in a file for us alone", () => {
    const { log, path, lines } = rig();
    log.info("forward.ready", { forward: "api", ms: 41, pod: null, more: undefined });
    log.error("odd", { time: "noon", level: "sea", event: "?" });
    const time = "2023-11-14T22:13:20.000Z";
    expect(lines()).toEqual([
      { time, level: "info", event: "forward.ready", forward: "api", ms: 41, pod: null },
      { time, level: "error", event: "odd" },
    ]);
    expect(readFileSync(path, "utf8")).toMatch(/^\{"time":"2023-11-14T22:13:20.000Z","level":"info"/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("can neither move the cursor nor hide what it says", () => {
    const { log, path, lines } = rig();
    const nasty = "a\u001b[2J\r\nb\u009b31m\u202ecod\u200b\u2028\u007f\ufeff";
    log.warn("pod.event", { message: nasty });
    expect(readFileSync(path, "utf8")).toMatch(/^[\u0020-\u007e]*\n$/);
    expect(lines()[0]).toMatchObject({ message: nasty });
  });

  test("holds no bearer token", () => {
    const { log, path } = rig();
    log.debug("http", { header: "Bearer abcdef0123456789", token: "hunter2" });
    expect(readFileSync(path, "utf8")).not.toMatch(/abcdef0123456789|hunter2/);
  });
});

describe("the rate", () => {
  test("of one forward is limited to 20 lines a second, and what was left out is said", async () => {
    const { clock, log, lines } = rig();
    for (let i = 0; i < 50; i++) log.info("conn", { forward: "api", i });
    log.info("conn", { forward: "db" });
    expect(lines().length).toBe(21);
    await clock.advance(1_000);
    expect(lines().at(-1)).toMatchObject({
      level: "warn",
      event: "log.suppressed",
      forward: "api",
      lines: 30,
    });
    log.info("conn", { forward: "api" });
    expect(lines().length).toBe(23);
    await clock.advance(1_000);
    expect(lines().length).toBe(23);
    expect(clock.pending).toBe(0);
  });

  test("of lines that name no forward is limited too", async () => {
    const { clock, log, lines } = rig();
    for (let i = 0; i < 150; i++) log.info("watch");
    await clock.advance(1_000);
    expect(lines().length).toBe(101);
    expect(lines().at(-1)).toMatchObject({ event: "log.suppressed", lines: 50 });
  });

  test("is accounted for at the end", () => {
    const { log, lines } = rig();
    for (let i = 0; i < 21; i++) log.info("conn", { forward: "api" });
    log[Symbol.dispose]();
    expect(lines().at(-1)).toMatchObject({ event: "log.suppressed", lines: 1 });
  });
});

describe("the file", () => {
  const mib = 1024 * 1024;

  test("is moved aside when it is over 5 MiB, and two old ones are kept", () => {
    const { log, path, lines } = rig();
    for (const number of [1, 2, 3]) {
      log.info("start", { number });
      appendFileSync(path, "x".repeat(5 * mib));
      log.reopen();
    }
    log.info("last");
    expect(readdirSync(join(path, "..")).sort()).toEqual(["kfwd.log", "kfwd.log.1", "kfwd.log.2"]);
    expect(lines()).toMatchObject([{ event: "last" }]);
    expect(readFileSync(`${path}.1`, "utf8")).toContain('"number":3');
    expect(readFileSync(`${path}.2`, "utf8")).toContain('"number":2');
  });

  test("counts what it writes itself", () => {
    const { clock, log, path } = rig();
    const fields: LogFields = { text: "x".repeat(4000) };
    for (let i = 0; i < 1_400; i++) {
      if (i % 100 === 0) void clock.advance(1_000);
      log.info("much", { ...fields, forward: `f${i}` });
    }
    expect(statSync(`${path}.1`).size).toBeGreaterThanOrEqual(5 * mib);
    expect(statSync(`${path}.1`).size).toBeLessThan(5 * mib + 5_000);
  });

  test("is opened anew when asked, after something else moved it", () => {
    const { log, path, lines } = rig();
    log.info("before");
    renameSync(path, `${path}.old`);
    log.info("between");
    log.reopen();
    log.info("after");
    expect(lines()).toMatchObject([{ event: "after" }]);
  });

  test("that cannot be opened costs lines and a count, never an exception, and is tried again", async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, "state"), "");
    const { clock, log, lines } = rig(join(folder, "state", "kfwd.log"));
    log.info("one");
    log.info("two");
    expect(log.dropped).toBe(2);
    rmSync(join(folder, "state"));
    log.info("three");
    expect(log.dropped).toBe(3);
    await clock.advance(5_000);
    log.info("four");
    expect(log.dropped).toBe(3);
    expect(lines()).toMatchObject([{ event: "log.dropped", lines: 3 }, { event: "four" }]);
  });

  test("is not followed through a symlink", () => {
    const folder = tempFolder();
    symlinkSync(join(folder, "target"), join(folder, "kfwd.log"));
    const { log } = rig(join(folder, "kfwd.log"));
    log.info("one");
    expect(log.dropped).toBe(1);
    expect(readdirSync(folder)).toEqual(["kfwd.log"]);
  });

  test("on a full disk costs lines and a count, and goes on when there is room", ({ skip }) => {
    const disk = tempFolder();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return skip("a small disk needs root and mount(8)");
    }
    onTestFinished(() => void execFileSync("umount", ["-l", disk]));
    const { log, path } = rig(join(disk, "kfwd.log"));
    log.info("first");
    expect(() => writeFileSync(join(disk, "full"), Buffer.alloc(64 * 1024))).toThrow("ENOSPC");
    for (let i = 0; i < 30; i++) log.info("lost", { forward: `f${i}`, text: "x".repeat(1_000) });
    expect(log.dropped).toBeGreaterThan(10);
    rmSync(join(disk, "full"));
    const dropped = log.dropped;
    log.info("found");
    expect(log.dropped).toBe(dropped);
    const written = readFileSync(path, "utf8").trimEnd().split("\n").slice(-2);
    expect(written.map((line) => JSON.parse(line) as object)).toMatchObject([
      { event: "log.dropped", lines: dropped },
      { event: "found" },
    ]);
  });
});

describe("tailLog", () => {
  function fileOf(text: string): string {
    const path = join(tempFolder(), "kfwd.log");
    writeFileSync(path, text);
    return path;
  }

  test.each([
    { name: "fewer lines than asked for", text: "a\nb\n", from: 0, wanted: ["a", "b"] },
    { name: "more", text: "a\nb\nc\nd\n", from: 0, wanted: ["b", "c", "d"] },
    { name: "a last line without end", text: "a\nb", from: 0, wanted: ["a", "b"] },
    { name: "nothing", text: "", from: 0, wanted: [] },
    { name: "lines from some byte on", text: "old\nnew\n", from: 4, wanted: ["new"] },
    { name: "nothing from some byte on", text: "old\n", from: 4, wanted: [] },
    { name: "a file that was cut since", text: "new\n", from: 400, wanted: ["new"] },
  ])("gives $name", ({ text, from, wanted }) => expect(tailLog(fileOf(text), 3, from)).toEqual(wanted));

  test("reads no more than the last 64 KiB, and no half line", () => {
    const line = "x".repeat(999);
    const path = fileOf(`${line}\n`.repeat(200));
    const lines = tailLog(path, 1_000);
    expect(lines.length).toBe(65);
    expect(new Set(lines)).toEqual(new Set([line]));
  });

  test.each(["missing", "a folder", "a named pipe"])("is nothing for %s", (what) => {
    const path = join(tempFolder(), "log");
    if (what === "a folder") mkdirSync(path);
    if (what === "a named pipe") execFileSync("mkfifo", [path]);
    expect(tailLog(path, 5)).toEqual([]);
  });
});
