/** Composition root of the CLI: the real streams, clock and signals; argv to a command; the process's end. */
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { lostOutput } from "./commands/output.ts";
import { complain, run } from "./commands/program.ts";
import type { Interrupt, World } from "./commands/world.ts";
import { INPUT_MAX_BYTES } from "./readfile.ts";
import { realClock } from "./runtime/clock.ts";
import { ownsTerminal } from "./runtime/daemon/terminalowner.ts";
import { homeFolder, workingFolder } from "./runtime/daemon/whereabouts.ts";
import { Runtime } from "./runtime/index.ts";
import type { Supervised } from "./runtime/supervised.ts";
import { VERSION } from "./version.ts";

const HANDLED: readonly Interrupt[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** A reader that has stopped reading does not keep a command that a signal has ended. */
const LAST_WORDS_MS = 1_000;

/** Whether a command has been told of a signal that ends it. */
let interrupted = false;

/** Tells whoever asks later why the supervisor in this process, if there is one, has ended. */
let crashed: Supervised["crashed"] = () => Promise.resolve();

const cwd = workingFolder(process.env);

const runtime = new Runtime({
  clock: realClock,
  facts: { env: process.env, uid: process.geteuid?.(), platform: process.platform, home: homeFolder() },
  cwd,
  version: VERSION,
  readStdin,
  supervisorScript: join(__dirname, "..", "bin", "supervisor.js"),
  loadSupervisor: async () => {
    const { supervise, relayTools } = await import("./supervise.ts");
    return {
      relayTools,
      supervise: async (...request) => {
        const outcome = await supervise(...request);
        if (outcome.kind === "running") crashed = outcome.supervised.crashed;
        return outcome;
      },
    };
  },
  loadSurvey: () => import("./survey.ts"),
});

const world: World = {
  runtime,
  clock: realClock,
  version: VERSION,
  machine: { node: process.versions.node, platform: process.platform, arch: process.arch },
  env: process.env,
  cwd,
  readStdin,
  schemaFile: join(__dirname, "..", "schema", "forwards.v1.json"),
  ask,
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt: (listener) => {
    const tell = (signal: Interrupt): void => {
      interrupted = true;
      listener(signal);
    };
    for (const signal of HANDLED) process.on(signal, tell);
    return { [Symbol.dispose]: () => HANDLED.forEach((signal) => process.off(signal, tell)) };
  },
  onSignal: (names, listener) => {
    const told = names.map((name) => [name, () => listener(name)] as const);
    for (const [name, tell] of told) process.on(name, tell);
    return { [Symbol.dispose]: () => told.forEach(([name, tell]) => process.off(name, tell)) };
  },
  ownsTerminal,
  suspend: () => {
    if (process.platform !== "win32") process.kill(0, "SIGTSTP");
  },
  onExit: (listener) => {
    process.on("exit", listener);
    return { [Symbol.dispose]: () => void process.off("exit", listener) };
  },
  get stdin() {
    return process.stdin; // Node makes it when it is first asked for
  },
  loadBrowser: () => import("./commands/browser.ts"),
  loadCompletionScripts: () => import("./commands/completionscripts.ts"),
  loadPrompts: () => import("./commands/prompts.ts"),
  loadImporters: () => import("./importers/index.ts"),
  runDemo: async (write, signal) => {
    const { runDemo } = await import("./sandbox/demo.ts");
    return runDemo({ cli: process.argv[1] ?? "", write, signal });
  },
};

// A reader that has had enough (`kfwd up | head -1`) must not end the forwards.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
process.on("uncaughtException", async (error) => {
  process.stderr.write(`error: internal error, this is a bug in kfwd: ${error.stack ?? error.message}\n`);
  await crashed(error);
  process.exit(70);
});
process.on("SIGUSR1", () => {}); // Node would open a debugger that any local user can reach

// Node would end with 0, as if the command had done its work.
process.on("beforeExit", () => {
  process.stderr.write("error: internal error, this is a bug in kfwd: nothing is left to wait for\n");
  process.exit(70);
});

const args = process.argv.slice(2);
run(world, args).then(leave, (error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  leave(70);
});

/** Ends the process once what was printed is on its way: a pipe takes it later than `exit` would leave. */
function leave(status: number): void {
  process.exitCode = status;
  for (const signal of HANDLED) process.on(signal, () => process.exit(status)); // the command has answered already
  if (interrupted) realClock.timer(LAST_WORDS_MS, () => process.exit(status));
  process.stdout.write("", () => {
    const lost = lostOutput(process.stdout);
    const exit = lost === undefined ? status : status || complain(world, args, lost);
    process.stderr.write("", () => process.exit(exit));
  });
}

async function readStdin(): Promise<string> {
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length >= INPUT_MAX_BYTES) break;
  }
  return text;
}

async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
  try {
    return (await Promise.race([lines.question(question), closed])) ?? ""; // the input has ended: no
  } finally {
    lines.close();
  }
}
