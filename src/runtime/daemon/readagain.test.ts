import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { realDeps, tempFolder } from "../../../test/fakes/lockfolder.ts";
import { silentLog } from "../../../test/puppets/idlecontrol.ts";
import { Rereading } from "./readagain.ts";

afterEach(() => vi.unstubAllEnvs());

test("the program gets the flags, and of what they say no other word from the environment", async () => {
  const cwd = tempFolder();
  const script = join(cwd, "program.cjs");
  const told =
    "[...process.argv.slice(2), ...Object.keys(process.env).filter((name) => /^KFWD_(FILE|ENV|PROFILES|PROJECT|TRUST|OTHER)$/.test(name))]";
  writeFileSync(script, `process.stderr.write(JSON.stringify(${told})); process.exitCode = 2;`);
  for (const name of ["FILE", "ENV", "PROFILES", "PROJECT", "TRUST", "OTHER"])
    vi.stubEnv(`KFWD_${name}`, "1");
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (...line: unknown[]) => void warned.push(line) };
  const { clock } = realDeps;
  using rereading = new Rereading({ clock, log }, script, () => ({ args: ["--env=dev", "api"], cwd }));
  await rereading.start();
  const reason = JSON.stringify([
    "up",
    "--detach",
    "--reread",
    "--color=never",
    "--env=dev",
    "api",
    "KFWD_OTHER",
  ]);
  expect(warned).toEqual([["not read again", { status: 2, reason }]]);
});

test("what runs when all has ended is broken off without a word, and not done once more", async () => {
  const cwd = tempFolder();
  const script = join(cwd, "program.cjs");
  writeFileSync(script, 'require("node:fs").writeFileSync("runs", ""); setInterval(() => {}, 1_000);');
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const { clock } = realDeps;
  const rereading = new Rereading({ clock, log: { ...silentLog, info: say, warn: say } }, script, () => ({
    args: [],
    cwd,
  }));
  const reading = rereading.start();
  await vi.waitFor(() => expect(existsSync(join(cwd, "runs"))).toBe(true), { timeout: 15_000 });
  await rereading.start();
  rereading[Symbol.dispose]();
  await reading;
  await rereading.start();
  expect(said).toEqual(["reading again"]);
});

test("a program that cannot be started at all is told in the log", async () => {
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
  const { clock } = realDeps;
  using rereading = new Rereading({ clock, log }, "program.cjs", () => ({ args: ["\0"], cwd: "/" }));
  await rereading.start();
  await rereading.start();
  expect(warned).toEqual(["not read again", "not read again"]);
});
