/** Puts variables into the values of a file, before anything is made of them. */
import { findControl } from "../printable.ts";
import type { VariableUse } from "./details.ts";
import { interpolateText, type Met, type Variables } from "./interpolation.ts";
import type { Report } from "./report.ts";
import { positionOf } from "./source.ts";
import type { SourcePosition } from "./spec.ts";
import { spanOfPart, type Tree, type TreeEntry, type TreeMap, type TreeScalar } from "./tree.ts";

/** All values of a file together may become so long. */
const RESULT_MAX_CHARS = 1024 * 1024;

/** Keys whose values end up where others read them, or name files of others. */
const KEPT_CLEAN = ["labels", "annotations", "include"];

/** Puts variables into trees, and remembers which. */
export class Interpolator {
  readonly #report: Report;
  readonly #uses = new Map<string, { met: Met; readonly places: SourcePosition[] }>();
  #roomChars = RESULT_MAX_CHARS;

  constructor(report: Report) {
    this.#report = report;
  }

  get uses(): readonly VariableUse[] {
    return [...this.#uses.values()].map(({ met, places }) => ({
      name: met.name,
      ...(met.default !== undefined && { default: met.default }),
      required: met.required,
      ...(met.found && { value: met.found.value, from: met.found.from }),
      places,
    }));
  }

  /** The map with variables put in, without looking at what `x-` keys and `leave` hold. */
  map(map: TreeMap, variables: Variables, leave: readonly string[] = []): TreeMap {
    return this.#map(map, variables, { path: [], leave });
  }

  #map(map: TreeMap, variables: Variables, at: At): TreeMap {
    let changed = false;
    const entries = new Map<string, TreeEntry>();
    for (const [key, entry] of map.entries) {
      const isExtra = key.startsWith("x-") && hasFields(at.path);
      const isLeft = isExtra || (at.path.length === 0 && at.leave.includes(key));
      const value = isLeft ? entry.value : this.#tree(entry.value, variables, stepped(at, key));
      changed ||= value !== entry.value;
      entries.set(key, { key: entry.key, value });
    }
    return changed ? { ...map, entries } : map;
  }

  #tree(tree: Tree, variables: Variables, at: At): Tree {
    if (tree.kind === "map") return this.#map(tree, variables, at);
    if (tree.kind === "scalar") return this.#scalar(tree, variables, at);
    const items = tree.items.map((item) => this.#tree(item, variables, at));
    return items.every((item, index) => item === tree.items[index]) ? tree : { ...tree, items };
  }

  #scalar(scalar: TreeScalar, variables: Variables, at: At): TreeScalar {
    if (typeof scalar.value !== "string" || !scalar.value.includes("$")) return scalar;
    const keptClean = fieldsOf(at.path).find((key) => KEPT_CLEAN.includes(key));
    const { text, met, unfit } = interpolateText(scalar.value, keptClean === undefined ? variables : NONE);
    if (keptClean !== undefined && met.length > 0) {
      const message = `${where(at.path)}variables are not allowed in ${keptClean}`;
      this.#report.error({ code: "BadVariable", message, span: scalar.span });
      return scalar;
    }
    for (const { code, message, hint, part } of unfit) {
      const span = spanOfPart(scalar, part);
      const used = code === "UnsetVariable" ? usedIn(at.path) : "";
      const advice = hint ?? (code === "UnsetVariable" ? UNSET_HINT : undefined);
      this.#report.error({ code, message: `${message}${used}`, hint: advice, span, hides: scalar.span });
    }
    for (const one of met) this.#note(one, scalar);
    if (unfit.length > 0) return scalar;
    this.#roomChars -= text.length;
    const control = findControl(text);
    if (this.#roomChars < 0) {
      const message = "the values of variables make the file too large";
      this.#report.error({ code: "TooLarge", message, span: scalar.span });
      return scalar;
    }
    if (control !== undefined && findControl(scalar.value) === undefined) {
      const message = `control character ${control.name} in the value of a variable`;
      this.#report.error({ code: "ControlCharacter", message, span: scalar.span });
      return scalar;
    }
    return { ...scalar, value: text, style: "made" };
  }

  #note(met: Met, scalar: TreeScalar): void {
    const known = `${met.name}\0${met.default ?? ""}\0${met.found?.value ?? ""}`;
    const use = this.#uses.get(known) ?? { met, places: [] };
    if (met.required) use.met = met;
    use.places.push(positionOf(spanOfPart(scalar, met.part)));
    this.#uses.set(known, use);
  }
}

const UNSET_HINT = "set it, or write it into .env";
const NONE: Variables = { get: () => undefined };

interface At {
  readonly path: readonly string[];
  /** Keys at the top that are left as they are. */
  readonly leave: readonly string[];
}

function stepped({ path, leave }: At, key: string): At {
  return { path: [...path, key], leave };
}

/** Whether the keys at this place are fields, of which `x-` are nobody's; names of forwards may start so, too. */
function hasFields(path: readonly string[]): boolean {
  return path.length === 0 || (path[0] === "forwards" && path.length === 2);
}

/** The part of the path that is no name of a forward. */
function fieldsOf(path: readonly string[]): readonly string[] {
  return path[0] === "forwards" ? path.slice(2) : path;
}

/** ` (used in forward "db")` */
function usedIn(path: readonly string[]): string {
  const forwards = path.indexOf("forwards");
  const name = forwards === -1 ? undefined : path[forwards + 1];
  const place = name === undefined ? path[0] : `forward "${name}"`;
  return place === undefined ? "" : ` (used in ${place})`;
}

function where(path: readonly string[]): string {
  const used = /\(used in (.*)\)/.exec(usedIn(path))?.[1];
  return used === undefined ? "" : `${used}: `;
}
