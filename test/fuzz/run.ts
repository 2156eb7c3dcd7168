/**
 * Fuzzing of the decoders, of forwards.yaml and of the command line:
 * `npx tsx test/fuzz/run.ts [spdy|websocket|channels|relay|forwards|argv] [--seconds N] [--seed S] [--lines N]`.
 * Without a name all but `argv` are run, one after the other. Exits 1 at the first failure, with what repeats it.
 * `argv` needs a built kfwd; it runs `--lines` command lines, 10000 unless it is said, for as long as `--seconds` allows.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { CODECS, type Codec } from "./codecs.ts";
import { fuzzArgv } from "./argv.ts";
import { answers, LIMIT_MS, project } from "./forwards.ts";
import { memoryInUse } from "./memory.ts";
import { alike, corpus, survives, understands, type Input } from "./properties.ts";

const BATCH = 500;

/** A leak of one byte an execution would be more after some minutes. */
const GROWTH_MAX_BYTES = 16 * 1024 * 1024;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "60" },
    lines: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() | 0) },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const names = positionals.length > 0 ? positionals : [...CODECS.keys(), "forwards"];

/** No codecs, but what else there is. */
const OTHERS = ["forwards", "argv"];

for (const name of names) {
  const codecs = OTHERS.includes(name) ? [] : CODECS.get(name);
  if (codecs === undefined || !(seconds > 0) || !Number.isInteger(seed)) {
    console.error(
      "usage: npx tsx test/fuzz/run.ts [spdy|websocket|channels|relay|forwards|argv] [--seconds N] [--seed S] [--lines N]",
    );
    process.exitCode = 2;
    break;
  }
  const executions =
    name === "argv" ? await fuzzLines() : name === "forwards" ? fuzzFiles() : fuzz(name, codecs);
  if (executions === undefined) {
    process.exitCode = 1;
    break;
  }
  console.log(`${name}: ok, ${executions} executions in ${seconds} s from seed ${seed}`);
}

/** How many inputs went well; undefined when one did not. */
function fuzz(name: string, codecs: readonly Codec[]): number | undefined {
  const seeds = corpus(name);
  for (const codec of codecs) {
    const kept = seeds.map((bytes) => ({ input: { bytes, places: everyByte(bytes) } }));
    const property = fc.property(fc.constantFrom(...kept), ({ input }) => alike(codec, input));
    if (!holds(codec, "takes what is kept", property, seed)) return undefined;
  }
  const endMs = performance.now() + seconds * 1000;
  let [executions, batchSeed, memory] = [0, seed, Infinity];
  while (performance.now() < endMs) {
    for (const codec of codecs) {
      if (!holds(codec, "understands", understands(codec), batchSeed)) return undefined;
      if (!holds(codec, "survives", survives(codec, seeds), batchSeed)) return undefined;
      executions += 2 * BATCH;
    }
    batchSeed++;
    const inUse = memoryInUse();
    if (batchSeed === seed + 5) memory = inUse; // by now all code is compiled
    if (inUse > memory + GROWTH_MAX_BYTES) {
      console.log(`${name}: FAILED, memory in use grew from ${memory} to ${inUse} bytes from seed ${seed}`);
      return undefined;
    }
  }
  return executions;
}

/** How many command lines ended well; undefined when one did not. */
async function fuzzLines(): Promise<number | undefined> {
  const unforeseen: string[] = [];
  process.on("uncaughtException", (error) => unforeseen.push(`behind a command's back: ${error.stack}`));
  const report = await fuzzArgv({
    seed,
    lines: Number(values.lines),
    untilMs: performance.now() + seconds * 1000,
    progress: (done, slowestMs) => console.log(`${done} lines, the slowest ${Math.round(slowestMs)} ms`),
  });
  const { lines, commands, slowest } = report;
  console.log(JSON.stringify({ lines, commands, slowest }));
  const failures = [...report.failures, ...unforeseen];
  for (const failure of failures) console.log(`argv: FAILED, ${failure}`);
  return failures.length === 0 ? lines : undefined;
}

/** How many projects had an answer in time; undefined when one had not. */
function fuzzFiles(): number | undefined {
  const endMs = performance.now() + seconds * 1000;
  let [executions, batchSeed] = [0, seed];
  while (performance.now() < endMs) {
    const property = fc.property(project, (input) => answers(input, LIMIT_MS));
    const details = fc.check(property, { numRuns: BATCH, seed: batchSeed });
    if (details.failed) {
      console.log(`forwards: FAILED, seed ${batchSeed}, path ${details.counterexamplePath}`);
      console.log(JSON.stringify(details.counterexample?.[0], null, 2), String(details.errorInstance));
      return undefined;
    }
    executions += BATCH;
    batchSeed++;
  }
  return executions;
}

function holds<T extends { readonly input: Input }>(
  codec: Codec,
  what: string,
  property: fc.IProperty<[T]>,
  batchSeed: number,
): boolean {
  const details = fc.check(property, { numRuns: BATCH, seed: batchSeed });
  if (!details.failed) return true;
  const input = details.counterexample?.[0].input;
  const cuts = input?.places.map((place) => Math.round(place * input.bytes.length)).sort((x, y) => x - y);
  console.log(
    `${codec.name}: FAILED: it no longer ${what}, seed ${batchSeed}, path ${details.counterexamplePath}\n` +
      `bytes ${input?.bytes.toString("hex")}\ncut at ${cuts?.join(" ")}\n${String(details.errorInstance)}`,
  );
  return false;
}

/** Of what is long, the first bytes. */
function everyByte(bytes: Buffer): number[] {
  return Array.from(bytes.subarray(0, 5000), (_, i) => i / bytes.length);
}
