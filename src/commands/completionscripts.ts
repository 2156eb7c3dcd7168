/**
 * The scripts that make shells complete. Those of fish and PowerShell are the library's. For bash and zsh we have our own:
 * the library's needs the package bash-completion and expands what it offers as if it were typed, and in zsh it loses what
 * stands behind a colon and lets a word that ends in `=` through an `eval`.
 */
import { script } from "@bomb.sh/tab";
import { KfwdError } from "../errors.ts";
import { BASH } from "./completionbash.ts";
import { ZSH } from "./completionzsh.ts";

/** Shells that there is a script for. */
export type CompletionShell = "bash" | "zsh" | "fish" | "powershell";

const NAME = "kfwd";

export function completionScript(shell: CompletionShell): string {
  switch (shell) {
    case "bash":
      return BASH;
    case "zsh":
      return ZSH;
    case "fish":
      return printed(() => script("fish", NAME, NAME));
    case "powershell":
      return mended(printed(() => script("powershell", NAME, NAME)));
  }
}

/** PowerShell takes typographic quotes for quotes, so they must be doubled, too. */
function mended(text: string): string {
  return replaced(text, `($_ -replace "'", "''")`, `($_ -replace "(['\\u2018-\\u201b])", '$1$1')`);
}

function replaced(text: string, bad: string, good: string): string {
  if (!text.includes(bad)) throw new KfwdError("INTERNAL", `the completion script has no ${bad}`);
  return text.replace(bad, () => good);
}

/** The library prints, and a command's words go through its output. */
function printed(run: () => void): string {
  const { log } = console; // oxlint-disable-line no-console
  let text = "";
  console.log = (line: string) => (text += line); // oxlint-disable-line no-console
  try {
    run();
  } finally {
    console.log = log; // oxlint-disable-line no-console
  }
  return text;
}
