/**
 * How long a command takes that has nothing to bring up: `kfwd status`, `port` and `env` of ten forwards that run, a TAB among
 * their names, `ls`, `--help`, `--version`, `up` again, and `run` of a command that ends at once.
 */
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

  const name = `f${links[0]?.localPort}`;
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
    port: () => time(bench.kfwd(["port", "--file", file, name])),
    env: () => time(bench.kfwd(["env", "--file", file, "--shell", "bash"])),
    upAgain: () => time(bench.kfwd(["up", "-d", "--wait", "--file", file])),
    run: () => time(bench.kfwd(["run", "--file", file, "--", "true"])),
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
    { ...common, name: "port", ours: turns.port, goal: { of: "ratio", is: "<=", limit: 2 } },
    { ...common, name: `env of ${FORWARDS}`, ours: turns.env, goal: { of: "ratio", is: "<=", limit: 2 } },
    {
      ...common,
      name: "up -d --wait, already up",
      ours: turns.upAgain,
      goal: { of: "ratio", is: "<=", limit: 2.5 },
    },
    { ...common, name: "run -- true, already up", ours: turns.run },
  ];
}
