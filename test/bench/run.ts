/**
 * `npm run bench`: kfwd against kubectl on a real cluster, in ratios.
 *
 * The cluster is that of `KFWD_E2E_KUBECONFIG` or `KUBECONFIG`; the pods' image that of `KFWD_E2E_IMAGE`, else one
 * with Node from the registry; `KFWD_BENCH_AUDIT` may hold a command that prints the API server's audit log. Needs
 * Linux, kubectl, and a built kfwd. Says how things are and judges nothing: only a row that cannot be measured makes
 * it fail.
 */
import { parseArgs } from "node:util";
import { Bench } from "./harness/bench.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { execute } from "./harness/execute.ts";
import { judge, type Figure, type Finding } from "./harness/figures.ts";
import { echoLinks, Forwarder } from "./harness/forwarders.ts";
import { machine, writeReport, type Circumstances } from "./harness/report.ts";
import { table } from "./harness/table.ts";
import { check } from "./rows/check.ts";
import { connections } from "./rows/connections.ts";
import { firstByte } from "./rows/firstbyte.ts";
import { idleTwenty } from "./rows/idle.ts";
import { memoryFifty } from "./rows/memory.ts";
import { neighbour } from "./rows/neighbour.ts";
import { replace, rollout } from "./rows/replacing.ts";
import { relay } from "./rows/relay.ts";
import { apiRestart, deadPeer, deleteAll } from "./rows/recovery.ts";
import { requestsTen } from "./rows/requests.ts";
import { status } from "./rows/status.ts";
import { throughput } from "./rows/throughput.ts";
import { udp, udpUp } from "./rows/udp.ts";
import { upOne, upTen } from "./rows/up.ts";

const ROWS: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  status,
  check,
  "up-1": upOne,
  "up-10": upTen,
  "requests-10": requestsTen,
  "memory-50": memoryFifty,
  "first-byte": firstByte,
  neighbour,
  throughput,
  connections,
  rollout,
  replace,
  udp,
  "udp-up": udpUp,
  relay,
  "dead-peer": deadPeer,
  "api-restart": apiRestart,
  "delete-all": deleteAll,
  "idle-20": idleTwenty,
};

const ROUNDS = 5;

const USAGE = `usage: npm run bench -- [--only ROW,ROW] [--runs N] [--profile FOLDER]
rows: ${Object.keys(ROWS).join(", ")}
--runs: how often each is measured (default ${ROUNDS}); --profile: where CPU profiles of kfwd go`;

interface Flags {
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly profiles: string | undefined;
}

const cleanup = new Cleanup();
const exit = await Promise.race([main(), interrupt()]);
await cleanup[Symbol.asyncDispose]();
process.exit(exit);

/** Resolves with the exit status when a signal or a bug ends the bench; whatever it is, the cluster is left clean. */
function interrupt(): Promise<number> {
  return new Promise((resolve) => {
    const leave = (why: string, status: number): void => {
      console.error(`\n${why}: ending all processes and removing the namespace`);
      resolve(status);
    };
    process.on("SIGINT", () => leave("interrupted", 130));
    process.on("SIGTERM", () => leave("asked to end", 143));
    process.on("SIGHUP", () => leave("the terminal has closed", 129));
    process.on("uncaughtException", (error) => leave(String(error.stack), 1));
  });
}

/** Resolves with the exit status. */
async function main(): Promise<number> {
  const flags = readFlags();
  const kubeconfig = process.env["KFWD_E2E_KUBECONFIG"] ?? process.env["KUBECONFIG"];
  if (flags === undefined) return refuse(USAGE);
  if (process.platform !== "linux") return refuse("the bench reads /proc: it needs Linux");
  if (!kubeconfig) return refuse("the bench needs a cluster: KFWD_E2E_KUBECONFIG or KUBECONFIG names none");

  const { rounds, profiles } = flags;
  const before = machine();
  const bench = await Bench.open(cleanup, { kubeconfig, rounds, profiles });
  let versions: Pick<Circumstances, "kfwd" | "kubectl" | "server">;
  try {
    const kfwd = await execute(process.execPath, bench.kfwd(["--version"]), { cleanup, env: bench.env });
    versions = { kfwd: kfwd.trim(), ...(await bench.cluster.versions()) };
  } catch (error) {
    if (cleanup.ending) throw error; // an interrupt has said so
    return refuse(`the bench needs kubectl and a cluster that answers: ${words(error)}`);
  }
  const circumstances = { ...before, rounds, ...versions };
  console.error(JSON.stringify(circumstances));
  try {
    await bench.deploy();
    await warmUp(bench);
  } catch (error) {
    if (cleanup.ending) throw error; // an interrupt has said so
    console.error(`the bench cannot begin: ${words(error)}`);
    return 1;
  }
  const { findings, failed } = await measure(bench, flags.rows);
  if (findings.length > 0) {
    console.log(`\n${table(findings)}\n`);
    console.log(`written to ${writeReport(circumstances, findings)}`);
  }
  return failed ? 1 : 0;
}

async function measure(
  bench: Bench,
  rows: readonly string[],
): Promise<{ findings: Finding[]; failed: boolean }> {
  const findings: Finding[] = [];
  let failed = false;
  for (const row of rows) {
    console.error(`${row} ...`);
    try {
      const figures = (await ROWS[row]?.(bench)) ?? [];
      findings.push(...figures.map(judge));
    } catch (error) {
      if (cleanup.ending) throw error; // an interrupt has said so
      failed = true;
      console.error(`${row} failed: ${words(error)}`);
    }
  }
  return { findings, failed };
}

/** Both tools keep things on disk that make their next start faster, as they do for a user. */
async function warmUp(bench: Bench): Promise<void> {
  for (const tool of ["kubectl", "kfwd"] as const) {
    await using forwarder = Forwarder.start(bench, tool, await echoLinks(1), bench.env);
    await forwarder.firstEcho();
  }
}

function readFlags(): Flags | undefined {
  try {
    const { values } = parseArgs({
      options: { only: { type: "string" }, runs: { type: "string" }, profile: { type: "string" } },
    });
    const rows = values.only?.split(",") ?? Object.keys(ROWS);
    const rounds = Number(values.runs ?? ROUNDS);
    if (!rows.every((row) => Object.hasOwn(ROWS, row)) || !Number.isInteger(rounds) || rounds < 1)
      return undefined;
    return { rows, rounds, profiles: values.profile };
  } catch {
    return undefined;
  }
}

function refuse(why: string): 2 {
  console.error(why);
  return 2;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
