/** How long a file of sixty forwards takes to be checked, and to become variables: Node's own start is in it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../harness/bench.ts";
import { execute } from "../harness/execute.ts";
import type { Figure } from "../harness/figures.ts";
import { byTurns } from "../harness/statistics.ts";
import { nowMs } from "../programs/tasks.ts";
import { sixtyForwards } from "../programs/sixtyforwards.ts";

/** Such short processes vary more than the others. */
const TURNS_A_ROUND = 4;

/** Wall time of the whole command. */
const GOAL_MS = 150;

export async function check(bench: Bench): Promise<Figure[]> {
  const folder = join(bench.folder, "sixty");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "forwards.yaml");
  writeFileSync(file, sixtyForwards());
  const time = async (args: readonly string[]): Promise<number> => {
    const startedAtMs = nowMs();
    await execute(process.execPath, args, { cleanup: bench.cleanup, env: bench.env });
    return nowMs() - startedAtMs;
  };
  const turns = await byTurns(bench.rounds * TURNS_A_ROUND, {
    node: () => time(["-e", "0"]),
    check: () => time(bench.kfwd(["check", "--file", file])),
    env: () => time(bench.kfwd(["env", "--file", file, "--shell", "bash"])),
  });
  const common = { unit: "ms", peer: "node -e 0", theirs: turns.node } as const;
  return [
    { ...common, name: "check of 60", ours: turns.check, goal: { of: "value", is: "<=", limit: GOAL_MS } },
    { ...common, name: "env of 60", ours: turns.env, goal: { of: "value", is: "<=", limit: GOAL_MS } },
  ];
}
