/** Random command lines, one after the other in one project: each ends in time, in a status that the help knows. */
import fc from "fast-check";
import { ArgvGround, faultOf, type Patience } from "./argvground.ts";
import { commandLines, type CommandLine } from "./commandlines.ts";

/** They start programs, wait for the cluster, or leave nothing to look at. */
const RARE = ["down", "stop", "up", "run", "demo", "start", "restart", "doctor", "open"];

export const PATIENCE: Patience = { interruptMs: 300, limitMs: 2_000 };

/** What to do, and with what patience. */
export interface ArgvRequest {
  readonly seed: number;
  readonly lines: number;
  readonly untilMs?: number;
  readonly patience?: Patience;
  readonly progress?: (done: number, slowestMs: number) => void;
}

/** How it went. */
export interface ArgvReport {
  readonly lines: number;
  /** How often each command ended how; what is no command is under `""`. */
  readonly commands: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly slowest: { readonly ms: number; readonly args: readonly string[] };
  readonly failures: readonly string[];
}

const FAILURES_MAX = 20;

export async function fuzzArgv(request: ArgvRequest): Promise<ArgvReport> {
  const { seed, lines, untilMs = Infinity, patience = PATIENCE } = request;
  await using ground = await ArgvGround.open();
  const names = ["", ...ground.program.commands.map((command) => command.name())];
  const commands = new Map(names.map((name): [string, Record<string, number>] => [name, {}]));
  const failures: string[] = [];
  let [done, slowest] = [0, { ms: 0, args: [] as readonly string[] }];
  for (const line of fc.sample(commandLines(ground.program, RARE), { seed, numRuns: lines })) {
    if (performance.now() > untilMs || failures.length >= FAILURES_MAX) break;
    const told = `seed ${seed}, line ${done}: ${JSON.stringify(line)}`;
    done++;
    try {
      const outcome = await ground.run(line, isDetaching(line) ? detachingPatience(patience) : patience);
      const fault = faultOf(line, outcome);
      if (fault !== undefined) failures.push(`${fault}: ${told}\n${outcome.stderr}`);
      const ended = commands.get(line.args[0] ?? "") ?? commands.get("");
      if (ended !== undefined) ended[outcome.status] = (ended[outcome.status] ?? 0) + 1;
      if (outcome.tookMs > slowest.ms) slowest = { ms: outcome.tookMs, args: line.args };
    } catch (error) {
      failures.push(`${String(error)}: ${told}`);
    }
    if (done % 250 === 0) request.progress?.(done, slowest.ms);
  }
  return { lines: done, commands: Object.fromEntries(commands), slowest, failures };
}

function isDetaching({ args }: CommandLine): boolean {
  return args.includes("-d") || args.includes("--detach") || args.includes("--wait");
}

/** A supervisor that a process of its own has to become takes a while. */
function detachingPatience({ interruptMs, limitMs }: Patience): Patience {
  return { interruptMs: 5 * interruptMs, limitMs: 5 * interruptMs + limitMs };
}

/** Some lines for processes of their own, where Node takes `--env-file` for itself. */
export function sampleLines(ground: ArgvGround, seed: number, lines: number): readonly CommandLine[] {
  const known = commandLines(ground.program, RARE).filter(
    ({ args }) => !args.some((word) => word.startsWith("--env-file")),
  );
  return fc.sample(known, { seed, numRuns: lines });
}
