/** Variables as the text that a shell or a tool reads. */
import { visibleJson } from "../../printable.ts";

/** What `kfwd env --shell` takes. */
export const SHELLS = ["bash", "zsh", "fish", "pwsh", "dotenv", "json", "github"] as const;
export type Shell = (typeof SHELLS)[number];

/** Shells whose syntax is that of another in the list. */
const SAME_AS: ReadonlyMap<string, Shell> = new Map([
  ["sh", "bash"],
  ["dash", "bash"],
  ["ash", "bash"],
  ["ksh", "bash"],
  ["mksh", "bash"],
  ["powershell", "pwsh"],
]);

/** The shell of a path such as `/usr/bin/zsh`; undefined when it is none that is known. */
export function shellOf(path: string): Shell | undefined {
  const name = path.replace(/^.*[\\/]/, "").replace(/\.exe$/i, "");
  return SHELLS.find((shell) => shell === name) ?? SAME_AS.get(name);
}

/** The lines; undefined for a value that this form cannot hold. `delimiter` is a word that stands in no value. */
export function variablesText(
  variables: ReadonlyMap<string, string>,
  shell: Shell,
  delimiter: string,
): string {
  if (shell === "json")
    return visibleJson({ schema: "kfwd.env/1", variables: Object.fromEntries(variables) });
  const line = LINES[shell];
  return [...variables].map(([name, value]) => line(name, value, delimiter)).join("\n");
}

type Line = (name: string, value: string, delimiter: string) => string;

const posix: Line = (name, value) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`;

const LINES: Readonly<Record<Exclude<Shell, "json">, Line>> = {
  bash: posix,
  zsh: posix,
  fish: (name, value) => `set -gx ${name} '${value.replaceAll(/[\\']/g, String.raw`\$&`)}'`,
  // PowerShell takes the typographic quotes for quotes, too.
  pwsh: (name, value) => `$env:${name} = '${value.replaceAll(/['\u2018-\u201b]/g, "$&$&")}'`,
  dotenv: (name, value) => `${name}=${dotenvValue(value)}`,
  github: (name, value, delimiter) =>
    /[\r\n]/.test(value) ? `${name}<<${delimiter}\n${value}\n${delimiter}` : `${name}=${value}`,
};

/**
 * A .env knows no escapes that all its readers know, so a value goes in quotes that it does not have: single ones, else
 * double ones where nothing in it means more to compose, or to a shell that sources the file. What fits in neither is
 * left as it is for the reader to refuse.
 */
function dotenvValue(value: string): string {
  if (/^[\w@%+:,./-]+$/.test(value)) return value;
  if (!value.includes("'")) return `'${value}'`;
  return /["\\$`!]/.test(value) ? value : `"${value}"`;
}

/** Whether a .env has a way to write the value that no reader takes for another, or runs. */
export function fitsDotenv(value: string): boolean {
  return !value.includes("\r") && !(value.includes("'") && /["\\$`!]/.test(value));
}
