/** What a person sees: commands on the screen of a real terminal emulator, tmux, that nobody else uses. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLI, type Project } from "./project.ts";

const PATIENCE_MS = 30_000;

/** Between two looks at a screen: each starts a program. */
const LOOK_MS = 50;

/** What is missing for these tests on this machine; empty: nothing. To follow a name. */
export function lackOfScreens(): string {
  try {
    execFileSync("tmux", ["-V"]);
    return "";
  } catch {
    return " (left out: there is no `tmux`)";
  }
}

/** A size, and variables beside those of the project. */
export interface ScreenOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A shell on a screen of its own, in the folder and environment of a project, where `kfwd` is the built one. Disposing closes the terminal. */
export class Screen implements AsyncDisposable {
  readonly #socket: string;
  readonly #project: Project;

  private constructor(project: Project, socket: string) {
    this.#project = project;
    this.#socket = socket;
  }

  /** With 80 columns and 24 rows unless the options say others. */
  static async open(
    project: Project,
    { columns = 80, rows = 24, env = {} }: ScreenOptions = {},
  ): Promise<Screen> {
    const screen = new Screen(project, join(project.root, "tmux"));
    const programs = join(project.root, "bin");
    await mkdir(programs, { recursive: true });
    await writeFile(join(programs, "kfwd"), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, {
      mode: 0o755,
    });
    const path = `${programs}:${project.env["PATH"]}`;
    const variables = Object.entries({ ...project.env, PATH: path, PS1: "$ ", TERM: "xterm", ...env });
    const assignments = variables.flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    );
    const size = ["-x", String(columns), "-y", String(rows)];
    const shell = ["env", "-i", ...assignments, "bash", "--norc", "--noprofile", "-i"];
    await screen.#tmux("new-session", "-d", ...size, "-c", project.folder, ...shell);
    await screen.#tmux("set-option", "status", "off");
    await screen.resize(columns, rows);
    await screen.shows(/^\$ $/);
    return screen;
  }

  /** What stands on it now, without spaces at the ends of lines and empty lines below. */
  async text(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p")).replaceAll(/ +$/gm, "").trimEnd();
  }

  /** The same with colours, as escape sequences. */
  painted(): Promise<string> {
    return this.#tmux("capture-pane", "-p", "-e");
  }

  /** Types it key by key. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text.replaceAll("\n", "\r"));
  }

  /** Keys by tmux's names: `C-c`, `Escape`, `Enter`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Resolves with what it shows once that matches. */
  async shows(pattern: RegExp): Promise<string> {
    const untilMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const text = await this.text();
      if (pattern.test(`${text}${text.endsWith("$") ? " " : ""}`)) return text;
      if (Date.now() > untilMs) throw new Error(`the screen never showed ${pattern}:\n${text}`);
      await pause();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#tmux("kill-server");
    } catch {
      // its shell has ended
    }
    const isLeft = (): boolean => this.#project.processes().some((pid) => !isDetached(pid));
    for (const untilMs = Date.now() + PATIENCE_MS; isLeft() && Date.now() < untilMs; await pause());
  }

  /** Not in this process's way: the sandbox may run in it. */
  async #tmux(...args: string[]): Promise<string> {
    const program = ["-S", this.#socket, "-f", "/dev/null", ...args];
    const env = { PATH: process.env["PATH"], HOME: this.#project.root, LANG: "C.UTF-8" };
    const { stdout } = await promisify(execFile)("tmux", program, { cwd: this.#project.folder, env });
    return stdout;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** A supervisor in the background outlives its terminal: whoever disposes of the project ends it. */
function isDetached(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("supervisor.js");
  } catch {
    return true; // it has ended
  }
}
