/** How many API requests ten forwards take to start, and after one connection through each. */
import { AUDIT_VARIABLE, auditIds, countRequests } from "../harness/audit.ts";
import type { Bench } from "../harness/bench.ts";
import { execute } from "../harness/execute.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns, type Tool } from "../harness/forwarders.ts";

const FORWARDS = 10;

/** A list and a watch each of services and of pods, and an upgrade for each pod. */
const GOAL = 4 + FORWARDS;

/** What a start may still ask for after it has said that it is ready. */
const SETTLE_MS = 1_000;

const READY = { kubectl: "Forwarding from", kfwd: `kfwd: ready ${FORWARDS}/${FORWARDS}` };

export async function requestsTen(bench: Bench): Promise<Figure[]> {
  const command = process.env[AUDIT_VARIABLE];
  if (command === undefined) {
    console.error(`requests-10 left out: ${AUDIT_VARIABLE} names no command that prints the audit log`);
    return [];
  }
  const audit = (): Promise<string> => execute("sh", ["-c", command], { cleanup: bench.cleanup });
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, (tool) => count(bench, tool, audit));
  return [
    {
      name: "requests-10, ready",
      unit: "requests",
      theirs: kubectl.map(({ ready }) => ready),
      ours: kfwd.map(({ ready }) => ready),
      goal: { of: "value", is: "<=", limit: GOAL },
    },
    {
      name: "requests-10, one connection each",
      unit: "requests",
      theirs: kubectl.map(({ used }) => used),
      ours: kfwd.map(({ used }) => used),
    },
  ];
}

interface Requests {
  readonly ready: number;
  readonly used: number;
}

async function count(bench: Bench, tool: Tool, audit: () => Promise<string>): Promise<Requests> {
  const before = auditIds(await audit());
  const requests = async (when: string): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const wanted = { namespace: bench.cluster.namespace, agent: `${tool}/`, before };
    const counts = countRequests(await audit(), wanted);
    console.error(`  ${tool}, ${when}: ${[...counts].map(([kind, n]) => `${n} ${kind}`).join(", ")}`);
    return [...counts.values()].reduce((sum, n) => sum + n, 0);
  };
  await using forwarder = Forwarder.start(bench, tool, await echoLinks(FORWARDS), bench.env);
  await forwarder.printed(READY[tool]);
  const ready = await requests("ready");
  await forwarder.firstEcho();
  return { ready, used: await requests("one connection each") };
}
