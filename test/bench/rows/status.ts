/** How long a command takes that only asks: `kfwd status` of ten forwards, a TAB among their names, `ls`, `--help`, `--version`. */
import type { Bench } from "../harness/bench.ts";
import { execute } from "../harness/execute.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, writeForwards } from "../harness/forwarders.ts";
import { byTurns } from "../harness/statistics.ts";
import { nowMs } from "../programs/tasks.ts";

const FORWARDS = 10;

/** Such short processes vary more than the others. */
const TURNS_A_ROUND = 4;

export async function status(bench: Bench): Promise<Figure[]> {
  const links = await echoLinks(FORWARDS);
  const file = writeForwards(bench, links);
  await using forwarder = Forwarder.start(bench, "kfwd", links, bench.env);
  await forwarder.firstEcho();

  const time = async (args: readonly string[]): Promise<number> => {
    const startedAtMs = nowMs();
    await execute(process.execPath, args, { cleanup: bench.cleanup, env: bench.env });
    return nowMs() - startedAtMs;
  };
  const turns = await byTurns(bench.rounds * TURNS_A_ROUND, {
    node: () => time(["-e", "0"]),
    status: () => time(bench.kfwd(["status", "--file", file])),
    complete: () => time(bench.kfwd(["complete", "--", "down", "--file", file, ""])),
    help: () => time(bench.kfwd(["--help"])),
    ls: () => time(bench.kfwd(["ls"])),
    version: () => time(bench.kfwd(["--version"])),
  });
  const common = { unit: "ms", peer: "node -e 0", theirs: turns.node } as const;
  return [
    {
      ...common,
      name: `status of ${FORWARDS}`,
      ours: turns.status,
      goal: { of: "ratio", is: "<=", limit: 2 },
    },
    {
      ...common,
      name: "a TAB in a shell",
      ours: turns.complete,
      goal: { of: "ratio", is: "<=", limit: 2 },
    },
    { ...common, name: "--help", ours: turns.help, goal: { of: "ratio", is: "<=", limit: 2 } },
    { ...common, name: "ls", ours: turns.ls, goal: { of: "ratio", is: "<=", limit: 2 } },
    { ...common, name: "--version", ours: turns.version },
  ];
}
