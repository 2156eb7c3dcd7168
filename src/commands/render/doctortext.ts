/** What `kfwd doctor` found, as a list for people and as a block to paste. */
import { visible } from "../../printable.ts";
import { redactText } from "../../redact.ts";
import type { Finding, FindingState, PrivateNames } from "../../runtime/index.ts";
import type { Paint } from "./colour.ts";

/** A finding that may be about several things. */
interface Line extends Omit<Finding, "about"> {
  readonly about: readonly string[];
}

const MARKS: Readonly<Record<FindingState, string>> = { good: "✔", warn: "⚠", bad: "✖", unknown: "–" };
const WORDS: Readonly<Record<FindingState, string>> = { good: "ok", warn: "warn", bad: "BAD", unknown: "?" };

/** A line for each finding and under it what is to be done. */
export function doctorLines(findings: readonly Finding[], paint: Paint): readonly string[] {
  const paints = { good: paint.good, warn: paint.waiting, bad: paint.bad, unknown: paint.dim };
  const lines = grouped(findings);
  const width = Math.max(0, ...lines.map(({ id }) => id.length));
  return lines.flatMap(({ id, about, state, says, detail = [], hint }) => [
    `${paints[state](MARKS[state])} ${id.padEnd(width)}  ${headOf(about)}${says}`,
    ...detail.map((line) => paint.dim(`    ${line}`)),
    ...(hint === undefined ? [] : [paint.dim(`    hint: ${hint}`)]),
  ]);
}

/** Markdown for an issue. */
export function reportBlock(findings: readonly Finding[], head: readonly string[]): string {
  const lines = grouped(findings).flatMap(({ id, about, state, says, detail = [] }) => [
    `${WORDS[state].padEnd(4)} ${id}: ${headOf(about)}${says}`,
    ...detail.map((line) => `     ${line}`),
  ]);
  return ["```", ...head, ...lines, "```"].join("\n").replaceAll("```\n```", "```");
}

/** What is said alike of several things is said once. */
function grouped(findings: readonly Finding[]): readonly Line[] {
  const lines = new Map<string, Line & { readonly about: string[] }>();
  for (const { about, ...finding } of findings) {
    const key = JSON.stringify(finding);
    const line = lines.get(key) ?? { ...finding, about: [] };
    lines.set(key, line);
    if (about !== undefined) line.about.push(about);
  }
  return [...lines.values()];
}

function headOf(about: readonly string[]): string {
  return about.length === 0 ? "" : `${about.join(", ")}: `;
}

/** How text is made fit to be shown. */
export interface Veil {
  readonly home: string;
  /** Names that are hidden, too. */
  readonly names: PrivateNames | undefined;
}

/** Without secrets, the user's home folder, and names that are to be hidden. */
export function veiled(finding: Finding, veil: Veil): Finding {
  const hide = (text: string): string =>
    hideNames(shortenHome(visible(redactText(text)), veil.home), veil.names);
  const { about, says, detail, hint } = finding;
  return {
    ...finding,
    ...(about !== undefined && { about: hide(about) }),
    says: hide(says),
    ...(detail !== undefined && { detail: detail.map(hide) }),
    ...(hint !== undefined && { hint: hide(hint) }),
  };
}

function shortenHome(text: string, home: string): string {
  return home.length < 2 ? text : text.replaceAll(new RegExp(`${literal(home)}(?![\\w.-])`, "g"), "~");
}

function hideNames(text: string, names: PrivateNames | undefined): string {
  if (names === undefined) return text;
  const words: readonly (readonly [string, readonly string[]])[] = [
    ["host", names.hosts],
    ["context", names.contexts],
    ["cluster", names.clusters],
    ["user", names.users],
    ["namespace", names.namespaces],
  ];
  // The longest first, since one may be part of another.
  const all = words
    .flatMap(([word, list]) => [...new Set(list)].map((name, at) => [name, `[${word} ${at + 1}]`] as const))
    .filter(([name]) => name !== "")
    .sort(([a], [b]) => b.length - a.length);
  return all.reduce(
    (rest, [name, mask]) => rest.replaceAll(new RegExp(`(?<![\\w[-])${literal(name)}(?![\\w-])`, "g"), mask),
    text,
  );
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}
