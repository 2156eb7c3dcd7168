/**
 * `kfwd complete -- WORDS`, which the completion scripts call at each TAB: a line for each word that fits, what it is
 * behind a tab, and `:` with what the shell is to do besides. It is always done, and says nothing else.
 */
import type { Command } from "commander";
import { unfinished, type Wanted } from "./completionline.ts";
import { namesOf, type Suggestion } from "./completionnames.ts";
import { flagRank } from "./helpgroups.ts";
import type { World } from "./world.ts";

/** What the shell is to do, as the scripts know it: bits of a number. */
const OFFER_FILES = 0;
const NO_FILES = 4;
const KEEP_ORDER = 32;

/**
 * What is one word in every shell and means nothing but itself there. Scripts put words on the command line as they
 * are, some through an `eval`, so what a file or a kubeconfig calls otherwise is not offered.
 */
const SAFE_WORD = /^[\p{L}\p{N}_][\p{L}\p{N}_@%+=:,./-]*$/u;

const ABOUT_MAX_CHARS = 60;

export async function complete(world: World, program: Command, words: readonly string[]): Promise<number> {
  const { wanted, start } = unfinished(program, words);
  const suggestions = await suggestionsFor(world, program, wanted);
  const lines = suggestions
    .filter(({ value }) => value.startsWith(start))
    .map(({ value, about }) => `${value}\t${inOneLine(about)}`);
  const rest = wanted.kind === "paths" ? OFFER_FILES : NO_FILES | KEEP_ORDER;
  world.stdout.write(`${[...lines, `:${rest}`].join("\n")}\n`);
  return 0;
}

async function suggestionsFor(
  world: World,
  program: Command,
  wanted: Wanted,
): Promise<readonly Suggestion[]> {
  switch (wanted.kind) {
    case "commands":
      return wanted.parent
        .createHelp()
        .visibleCommands(wanted.parent)
        .map((command) => ({ value: command.name(), about: command.description() }));
    case "flags":
      return flagsOf(wanted.command);
    case "choices":
      return wanted.choices.map((value) => ({ value, about: "" }));
    case "names": {
      const names = await namesOf(world, program, wanted.of, wanted.flags);
      return names.filter(({ value }) => SAFE_WORD.test(value) && !wanted.given.includes(value));
    }
    case "paths":
    case "nothing":
      return [];
  }
}

function flagsOf(command: Command): readonly Suggestion[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .sort((a, b) => flagRank(a) - flagRank(b))
    .flatMap(({ long, short, description }) =>
      [long, short].flatMap((value) => (value ? [{ value, about: description }] : [])),
    );
}

/** Text of a file, for a terminal: nothing that could move its cursor or end the line. */
function inOneLine(text: string): string {
  const line = text.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length > ABOUT_MAX_CHARS ? `${line.slice(0, ABOUT_MAX_CHARS - 1)}…` : line;
}
