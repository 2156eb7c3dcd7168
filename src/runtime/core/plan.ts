/** From what runs to what the file wants: the one list of changes for `up`, whether the first or the tenth time. */
import { isPlainMap } from "../../plain.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import { isRelayed } from "../../relayed.ts";
import type { Stage } from "./status.ts";

/** A forward the supervisor keeps. */
export interface Running {
  readonly spec: ForwardSpec;
  readonly stage: Stage;
}

/**
 * - `start`: it is new, or had failed or been stopped
 * - `replace`: it means something else now; its listener and connections go
 * - `update`: only words or `required` changed; connections stay
 * - `keep`: nothing changed
 * - `remove`: it left the file
 */
export type Change =
  | { readonly action: "start" | "replace" | "update"; readonly name: string; readonly spec: ForwardSpec }
  | { readonly action: "keep" | "remove"; readonly name: string };

/** What becomes of forwards that run: those that mean something else now, all of them, or none is replaced. */
export type Recreate = "changed" | "all" | "none";

/**
 * The changes in the order of the file, removals first, so that a port they free can be bound by a newcomer.
 * With `names`, only these are touched, and removed where they have left the file.
 */
export function plan(
  running: ReadonlyMap<string, Running>,
  wanted: readonly ForwardSpec[],
  names: readonly string[] | null,
  recreate: Recreate = "changed",
): readonly Change[] {
  const wantedNames = new Set(wanted.map((spec) => spec.name));
  const removals = [...running.keys()].filter(
    (name) => !wantedNames.has(name) && (names?.includes(name) ?? true),
  );
  const touched = names === null ? wanted : wanted.filter((spec) => names.includes(spec.name));
  return [
    ...removals.map((name): Change => ({ action: "remove", name })),
    ...touched.map((spec) => change(running.get(spec.name), spec, recreate)),
  ];
}

function change(now: Running | undefined, spec: ForwardSpec, recreate: Recreate): Change {
  const name = spec.name;
  if (now === undefined || now.stage === "failed" || now.stage === "stopping" || now.stage === "stopped") {
    return { action: "start", name, spec };
  }
  const isChanged = meaning(now.spec) !== meaning(spec);
  if (recreate === "none" && isChanged) return { action: "keep", name };
  if (recreate === "all" || isChanged) return { action: "replace", name, spec };
  if (words(now.spec) !== words(spec)) return { action: "update", name, spec };
  return { action: "keep", name };
}

/** What is only said about a forward, asked by commands that read the file themselves, or takes hold at once. */
const WORDS = [
  "description",
  "required",
  "source",
  "ttlMs",
  "url",
  "env",
  "hosts",
  "labels",
  "protect",
] as const;

/** What a forward does, as text to compare: where it listens, where it leads, and how it behaves on the way. */
function meaning(spec: ForwardSpec): string {
  const besides = isRelayed(spec) ? WORDS : [...WORDS, "relay"];
  return canonical(
    Object.entries(spec)
      .filter(([field]) => !besides.some((one) => one === field))
      .sort(byName),
  );
}

function words(spec: ForwardSpec): string {
  return canonical(WORDS.map((field) => spec[field]));
}

/** JSON with the keys of every map in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    isPlainMap(part) ? Object.fromEntries(Object.entries(part).sort(byName)) : part,
  );
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
