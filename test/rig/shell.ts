/** Shells that complete, with `kfwd` on their PATH. */
import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLI, type Project, type Running } from "./project.ts";

/** Whether a program is there on this machine. */
export function isThere(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** The PATH on which `kfwd` is the built one. */
export async function pathWithKfwd(project: Project): Promise<string> {
  const programs = join(project.root, "bin");
  await mkdir(programs, { recursive: true });
  await writeFile(join(programs, "kfwd"), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(programs, "kfwd"), 0o755);
  return `${programs}:${project.env["PATH"]}`;
}

/** A shell on a terminal of 200 columns, into which keys can be typed. */
export function interactive(project: Project, command: string, path: string): Running {
  const line = `stty cols 200 rows 50 -echo; exec ${command}`;
  const env = { PATH: path, TERM: "xterm", SHELL: "/bin/sh", PS1: "> " };
  return project.exec("script", ["-qec", line, "/dev/null"], { env, keys: "open" });
}
