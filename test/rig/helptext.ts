/** What the program's own help says, so that tests cover commands that come later, too. */
import { execFileSync } from "node:child_process";
import { CLI } from "./project.ts";

/** What stands under `Examples:`. */
export interface Example {
  readonly command: string;
  /** For a shell. */
  readonly line: string;
}

function say(...args: readonly string[]): string {
  return execFileSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
}

/** The names of all commands that the help lists. */
export function commandNames(): readonly string[] {
  const lines = say("complete", "--", "").trimEnd().split("\n").slice(0, -1);
  return lines.map((line) => line.split("\t")[0] ?? "");
}

export function helpOf(command: string): string {
  return say("help", command);
}

/** The long flags of a command. */
export function flagsOf(command: string): readonly string[] {
  return [...helpOf(command).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag = ""]) => flag);
}

/** A remark stands three spaces or more behind the example. */
export function examplesOf(command: string): readonly Example[] {
  const [, list = ""] = /\nExamples:\n([\s\S]*)$/.exec(helpOf(command)) ?? [];
  const lines = list.split("\n").flatMap((line) => /^ {2}(\S.*?)(?: {3,}.*)?$/.exec(line)?.[1] ?? []);
  return lines.map((line) => ({ command, line }));
}
