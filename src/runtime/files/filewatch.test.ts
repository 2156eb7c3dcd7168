import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { FileWatch } from "./filewatch.ts";

/** The regular look alone, which tells what the system does not; that it tells sooner is shown by the integration tests. */
describe("files are watched", () => {
  let folder: string;
  let changes: number;
  const clock = new FakeClock();
  let watch: FileWatch;
  const at = (name: string): string => join(folder, name);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kfwd-watch-"));
    writeFileSync(at("a"), "1");
    changes = 0;
    watch = new FileWatch(clock, () => changes++);
    watch.watch([at("a"), at("b"), join(folder, "not", "there")]);
  });
  afterEach(() => {
    watch[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ["written", () => writeFileSync(at("a"), "22")],
    ["replaced", () => (writeFileSync(at("new"), "1"), renameSync(at("new"), at("a")))],
    ["removed", () => rmSync(at("a"))],
    ["made", () => writeFileSync(at("b"), "")],
  ])("one that is %s is told once", async (_, change) => {
    change();
    await clock.advance(5_000);
    expect(changes).toBe(1);
    await clock.advance(10_000);
    expect(changes).toBe(1);
  });

  test("others in the folder are not, nor anything after the end", async () => {
    writeFileSync(at("other"), "");
    await clock.advance(5_000);
    expect(changes).toBe(0);
    watch[Symbol.dispose]();
    writeFileSync(at("a"), "33");
    await clock.advance(5_000);
    expect(changes).toBe(0);
  });

  test("the system tells sooner", async () => {
    writeFileSync(at("a"), "22");
    await vi.waitFor(async () => {
      await clock.advance(200);
      expect(changes).toBe(1);
    });
  });
});
