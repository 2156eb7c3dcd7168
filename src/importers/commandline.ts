/** Command lines as a shell would split them, and the flags of kubectl's family. */
import { parse } from "shell-quote";

/** The words of each command in a text, with no variable filled in. */
export function commandsOf(text: string): readonly (readonly string[])[] {
  const lines = text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/);
  return lines.flatMap(commandsOfLine).filter((words) => words.length > 0);
}

function commandsOfLine(line: string): readonly string[][] {
  const commands: string[][] = [[]];
  for (const word of wordsOf(line)) {
    if (typeof word === "string") commands.at(-1)?.push(word);
    else if ("comment" in word) break;
    else if ("pattern" in word) commands.at(-1)?.push(word.pattern);
    else commands.push([]);
  }
  return commands;
}

/** A line that no shell would take has no words. */
function wordsOf(line: string): ReturnType<typeof parse> {
  try {
    return parse(line, (name) => (name === "" ? "$" : `\${${name}}`));
  } catch {
    return [];
  }
}

/** What stands behind a command's name. */
export interface Arguments {
  /** The last value of each flag, by its long name without dashes. */
  readonly flags: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

/** `valued` are the flags that take the next word, by each of their spellings; others are taken to stand alone. */
export function readArguments(words: readonly string[], valued: ReadonlyMap<string, string>): Arguments {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") {
      rest.push(word);
      continue;
    }
    const [flag = "", ...value] = word.split("=");
    const name = valued.get(flag) ?? valued.get(flag.slice(0, 2));
    if (value.length > 0) flags.set(valued.get(flag) ?? flag.replace(/^-+/, ""), value.join("="));
    else if (valued.has(flag)) flags.set(valued.get(flag) ?? "", words[++at] ?? "");
    else if (name !== undefined && !word.startsWith("--")) flags.set(name, word.slice(2)); // -nshop
  }
  return { flags, words: rest };
}
