import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { FileLog } from "./log.ts";
import { LogReader } from "./readlog.ts";

let folder: string;
let path: string;
let reader: LogReader;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-readlog-"));
  path = join(folder, "kfwd.log");
  reader = new LogReader(path);
});
afterEach(() => {
  reader[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** As the writer does it: kfwd.log becomes kfwd.log.1, and so on. */
function rotate(): void {
  for (const [from, to] of [
    [`${path}.1`, `${path}.2`],
    [path, `${path}.1`],
  ] as const) {
    try {
      renameSync(from, to);
    } catch {
      // not there yet
    }
  }
}

describe("what is kept", () => {
  test("comes from all files, the oldest first", () => {
    writeFileSync(`${path}.2`, "a\n");
    writeFileSync(`${path}.1`, "b\nc\n");
    writeFileSync(path, "d\n");
    expect(reader.read()).toEqual(["a", "b", "c", "d"]);
    expect(reader.read()).toEqual([]);
    expect(reader.found).toBe(true);
  });

  test("may be nothing, or no file", () => {
    expect([reader.read(), reader.found]).toEqual([[], false]);
    symlinkSync("/etc/hostname", path);
    expect([reader.read(), reader.found]).toEqual([[], false]);
  });

  test("is read whole when it is larger than a chunk, and wherever a character is cut", () => {
    const lines = Array.from({ length: 40_000 }, (_, number) => `${number} größer 🚀`);
    writeFileSync(path, `${lines.join("\n")}\n`);
    expect(reader.read()).toEqual(lines);
  });

  test("a line longer than any is left out, and the next ones are not", () => {
    writeFileSync(path, `a\n${"x".repeat(1024 * 1024 + 1)}\nb\n`);
    expect(reader.read()).toEqual(["a", "b"]);
  });
});

describe("what comes", () => {
  test("is told line by line, a line that is half written when it is whole", () => {
    writeFileSync(path, "a\nb");
    expect(reader.read()).toEqual(["a"]);
    appendFileSync(path, "c\nd");
    expect(reader.read()).toEqual(["bc"]);
    appendFileSync(path, "\n");
    expect(reader.read()).toEqual(["d"]);
  });

  test("goes on in the next file after a rotation, and nothing in between is lost", () => {
    writeFileSync(path, "a\n");
    expect(reader.read()).toEqual(["a"]);
    appendFileSync(path, "b\n");
    rotate();
    expect(reader.read()).toEqual(["b"]);
    writeFileSync(path, "c\n");
    expect(reader.read()).toEqual(["c"]);
    appendFileSync(path, "d\n");
    rotate();
    writeFileSync(path, "e\n");
    rotate();
    writeFileSync(path, "f\n");
    expect(reader.read()).toEqual(["d", "e", "f"]);
  });

  test("begins with a file that is not there yet", () => {
    expect(reader.read()).toEqual([]);
    writeFileSync(path, "a\n");
    expect(reader.read()).toEqual(["a"]);
  });

  test("a file that was emptied is read from its beginning", () => {
    writeFileSync(path, "a\nb\n");
    reader.read();
    truncateSync(path);
    appendFileSync(path, "c\n");
    expect(reader.read()).toEqual(["c"]);
  });

  test("of the log's own writer is whole over its rotations", () => {
    const log = new FileLog(new FakeClock(), path);
    const field = "x".repeat(1_000_000);
    const seen: number[] = [];
    for (let number = 0; number < 30; number++) {
      log.info("line", { number, field });
      for (const line of reader.read()) seen.push((JSON.parse(line) as { number: number }).number);
    }
    log[Symbol.dispose]();
    expect(seen).toEqual(Array.from({ length: 30 }, (_, number) => number));
  });
});
