/** Commands on a terminal. */
import { execFileSync, spawn } from "node:child_process";
import { CLI, Running, type Project } from "./project.ts";

/** Runs `kfwd` with all three streams on a terminal of 40 rows and 100 columns unless `env` says others; what it shows is on stdout. */
export function onTerminal(
  project: Project,
  command: string,
  env: Readonly<Record<string, string>> = {},
): Running {
  const { ROWS = "40", COLS = "100", ...others } = env;
  const line = `stty cols ${COLS} rows ${ROWS}; exec "${process.execPath}" "${CLI}" ${command}`;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    cwd: project.folder,
    env: { ...project.env, SHELL: "/bin/sh", TERM: "xterm", ...others },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return new Running(child);
}

/** What is missing for these tests on this machine; empty: nothing. To follow a name: only util-linux's `script` takes a command and hands back its status. */
export function lackOfTerminals(): string {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8" }).includes("util-linux")
      ? ""
      : " (left out: `script` is not that of util-linux)";
  } catch {
    return " (left out: there is no `script`)";
  }
}
