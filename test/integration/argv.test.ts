import { expect, test } from "vitest";
import { ArgvGround, faultOf } from "../fuzz/argvground.ts";
import { fuzzArgv, sampleLines } from "../fuzz/argv.ts";

/** A machine that does much else at the same time is patient. */
const PATIENCE = { interruptMs: 300, limitMs: 20_000 };

const SEED = Number(process.env["KFWD_FUZZ_SEED"] ?? Date.now() | 0);

test(`300 random command lines end in statuses that the help knows (KFWD_FUZZ_SEED=${SEED})`, async () => {
  const { failures, lines } = await fuzzArgv({ seed: SEED, lines: 300, patience: PATIENCE });
  expect(failures).toEqual([]);
  expect(lines).toBe(300);
});

test(`20 random command lines do so as processes (KFWD_FUZZ_SEED=${SEED})`, async () => {
  await using ground = await ArgvGround.open();
  for (const line of sampleLines(ground, SEED, 20)) {
    const running = ground.project.start(line.args, { env: line.env });
    const startMs = performance.now();
    const interrupting = setInterval(() => running.kill("SIGINT"), 1_000);
    const { status, signal, stdout, stderr } = await running.ended;
    clearInterval(interrupting);
    const tookMs = performance.now() - startMs;
    // One that Ctrl-C ended before it had begun to listen is no fault.
    const ended = { status: status ?? (signal === "SIGINT" ? 130 : -1), stdout, stderr, tookMs };
    expect([line, faultOf(line, ended), ended.stderr]).toEqual([line, undefined, ended.stderr]);
    expect(tookMs).toBeLessThan(PATIENCE.limitMs);
  }
});
