/** A project beside a sandbox cluster, in which command lines run in this process as they would in one of their own. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { Project } from "../rig/project.ts";
import { programFor, run } from "../../src/commands/program.ts";
import type { Interrupt, World } from "../../src/commands/world.ts";
import { realClock } from "../../src/runtime/clock.ts";
import { Runtime } from "../../src/runtime/index.ts";
import { VERSION } from "../../src/version.ts";
import type { CommandLine } from "./commandlines.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

// The bundles are CommonJS, and have it; their sources are run here as they are.
Object.assign(globalThis, { __dirname: join(ROOT, "dist") });

/** Statuses that the help knows, and those of `run`, which are its program's. */
const STATUSES: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 129, 130, 143]);
const STATUSES_OF_RUN: ReadonlySet<number> = new Set([125, 126, 127]);

/** What it came to. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** Limits in the time of this machine. */
export interface Patience {
  /** What still runs then gets a SIGINT, and again after as long. */
  readonly interruptMs: number;
  /** How long it may take after that. */
  readonly limitMs: number;
}

export class ArgvGround implements AsyncDisposable {
  readonly project: Project;
  readonly #world: SandboxWorld;

  private constructor(project: Project, world: SandboxWorld) {
    this.project = project;
    this.#world = world;
  }

  static async open(): Promise<ArgvGround> {
    const world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    const project = await Project.create({ kubeconfig: world.kubeconfig("admin") });
    const ground = new ArgvGround(project, world);
    await ground.#furnish(namespace);
    // What commands load is compiled here, which takes longer than a command may.
    await Promise.all([
      import("../../src/supervise.ts"),
      import("../../src/survey.ts"),
      import("../../src/importers/index.ts"),
    ]);
    return ground;
  }

  /** All commands there are. */
  get program(): Command {
    return programFor(this.#worldOf({}, new Streams(), new Interrupts()), { exit: 0 });
  }

  /** Runs one line. @throws Error when it does not end in time. */
  async run({ args, env }: CommandLine, { interruptMs, limitMs }: Patience): Promise<Outcome> {
    const [streams, interrupts] = [new Streams(), new Interrupts()];
    const startMs = performance.now();
    const interrupting = setInterval(() => interrupts.send("SIGINT"), interruptMs);
    let limit: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_resolve, reject) => {
        limit = setTimeout(
          () => reject(new Error(`it has not ended after ${limitMs} ms\n${streams.err}`)),
          limitMs,
        );
      });
      const status = await Promise.race([run(this.#worldOf(env, streams, interrupts), args), late]);
      const tookMs = performance.now() - startMs;
      return { status, stdout: streams.out, stderr: streams.err, tookMs };
    } finally {
      clearInterval(interrupting);
      clearTimeout(limit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project.run("down", "--force");
    await this.project.run("down", "--force", "-f", "other.yaml");
    for (const pid of this.project.processes()) process.kill(pid, "SIGTERM");
    await this.project[Symbol.asyncDispose]();
    await this.#world[Symbol.asyncDispose]();
  }

  async #furnish(namespace: string): Promise<void> {
    const { project } = this;
    const forward = { target: "svc/app", port: 7000, local: "auto" };
    const file = {
      version: 1,
      name: "shop",
      namespace,
      forwards: {
        api: { ...forward, url: "http://{host}:{port}/", description: "the API" },
        db: { ...forward, port: 7001, required: false },
        web: { ...forward, target: "svc/none", profiles: ["data"] },
      },
      environments: { dev: {}, staging: { portOffset: 100 } },
    };
    await project.write(JSON.stringify(file));
    await project.write("forwards: { broken: ", "broken.yaml");
    await project.write(JSON.stringify({ namespace, forwards: { api: forward } }), "other.yaml");
    await project.write(
      '[{"service":"api","namespace":"shop","local_port":8080,"remote_port":80}]',
      "kftray.json",
    );
    await mkdir(join(project.folder, "sub"));
    await writeFile(join(project.folder, ".env"), "A=1\n");
    await copyFile(this.#world.kubeconfig("admin"), join(project.root, "config"));
  }

  #worldOf(env: Readonly<Record<string, string>>, streams: Streams, interrupts: Interrupts): World {
    const { folder } = this.project;
    const all = { ...this.project.env, ...env };
    const readStdin = (): Promise<string> => Promise.resolve("forwards: { api: '18080:svc/app:7000' }");
    const runtime = new Runtime({
      clock: realClock,
      facts: {
        env: all,
        uid: process.geteuid?.(),
        platform: process.platform,
        home: this.project.env["HOME"] ?? "/",
      },
      cwd: folder,
      version: VERSION,
      readStdin,
      supervisorScript: join(ROOT, "bin", "supervisor.js"),
      loadSupervisor: () => import("../../src/supervise.ts"),
      loadSurvey: () => import("../../src/survey.ts"),
    });
    return {
      runtime,
      clock: realClock,
      version: VERSION,
      env: all,
      cwd: folder,
      readStdin,
      schemaFile: join(ROOT, "schema", "forwards.v1.json"),
      ask: () => Promise.resolve(undefined),
      stdin: Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.ReadStream,
      stdout: streams.stdout,
      stderr: streams.stderr,
      onInterrupt: (listener) => interrupts.on(listener),
      onSignal: (names, listener) =>
        interrupts.on((signal) => names.filter((name) => name === signal).forEach(listener)),
      ownsTerminal: () => false,
      suspend: () => {},
      onExit: () => ({ [Symbol.dispose]: () => {} }),
      machine: { node: process.versions.node, platform: process.platform, arch: process.arch },
      loadBrowser: () => Promise.resolve({ openInBrowser: () => Promise.resolve() }),
      loadCompletionScripts: () => import("../../src/commands/completionscripts.ts"),
      loadPrompts: () => import("../../src/commands/prompts.ts"),
      loadImporters: () => import("../../src/importers/index.ts"),
      runDemo: () => Promise.resolve(0), // it is a program of its own, and test/integration/cli-demo.test.ts runs it
    };
  }
}

/** What is wrong with how a command ended; undefined: nothing. */
export function faultOf({ args }: CommandLine, { status, stdout, stderr }: Outcome): string | undefined {
  const isChilds = args.includes("run") && args.includes("--");
  const isKnown = STATUSES.has(status) || (args.includes("run") && STATUSES_OF_RUN.has(status));
  if (!isKnown && !(isChilds && status < 126)) return `exit status ${status}`;
  if (/^\s+at .+:\d+:\d+\)?$/m.test(stderr)) return "a stack trace";
  if (/internal error|\bundefined\b.*is not|TypeError|RangeError|\[object /i.test(withoutWords(stderr, args)))
    return "an error that was not foreseen";
  if (
    status !== 0 &&
    status !== 1 &&
    status !== 3 &&
    !isChilds &&
    `${stdout}${stderr}` === "" &&
    !isSignal(status)
  )
    return "no word of why";
  // oxlint-disable-next-line no-control-regex
  const raw = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/.exec(withoutColour(`${stdout}${stderr}`));
  return raw === null ? undefined : `a control character, ${JSON.stringify(raw[0])}`;
}

function isSignal(status: number): boolean {
  return status > 128;
}

/** What was typed comes back in messages, and is no fault. */
function withoutWords(text: string, words: readonly string[]): string {
  const parts = words.flatMap((word) => [word, ...word.split("=")]);
  return parts.filter((word) => word.length > 2).reduce((rest, word) => rest.replaceAll(word, ""), text);
}

function withoutColour(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\u001b\[\d+(?:;\d+)*m/g, "");
}

class Streams {
  out = "";
  err = "";
  readonly stdout = this.#stream((text) => (this.out += text));
  readonly stderr = this.#stream((text) => (this.err += text));

  #stream(took: (text: string) => void): NodeJS.WriteStream {
    const stream = new PassThrough().setEncoding("utf8").on("data", took);
    return Object.assign(stream, { isTTY: false, columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream;
  }
}

class Interrupts {
  readonly #listeners = new Set<(signal: Interrupt) => void>();

  on(listener: (signal: Interrupt) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  send(signal: Interrupt): void {
    for (const listener of this.#listeners) listener(signal);
  }
}
