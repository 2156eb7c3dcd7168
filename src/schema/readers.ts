/** Readers of single values: what they may be, and what is said when they are not. */
import { isPlainMap } from "../plain.ts";
import { millisecondsOf, UNIT_MS } from "../duration.ts";
import { either, quoted, shown } from "../printable.ts";
import { suggest } from "../suggest.ts";
import type { Fail, Problem } from "./problem.ts";

/** Reads a value, or tells why not and answers undefined. */
export type Reader<T> = (value: unknown, fail: Fail) => T | undefined;

/** A reader of one of some words. */
export function oneOf<const W extends string>(what: string, words: readonly W[]): Reader<W> {
  return (value, fail) => {
    const found = words.find((word) => word === value);
    const wanted = either(words.map(quoted));
    if (found === undefined)
      fail({ code: "BadValue", message: `${what} must be ${wanted}, got ${shown(value)}` });
    return found;
  };
}

/** A reader of text that fits a pattern, whose rule is said in words. */
export function textLike(what: string, fits: (text: string) => boolean, rule: string): Reader<string> {
  return (value, fail) => {
    if (typeof value !== "string" || value === "") {
      const isBare = typeof value === "number" || typeof value === "boolean";
      const hint = isBare ? { hint: "put it in quotes" } : {};
      fail(
        value === "" || value === null
          ? { code: "Empty", message: `${what} is empty` }
          : { code: "WrongType", message: `${what} must be text, got ${shown(value)}`, ...hint },
      );
      return undefined;
    }
    if (fits(value)) return value;
    fail({ code: "BadValue", message: `${what} must be ${rule}, got ${quoted(value)}` });
    return undefined;
  };
}

/** A reader of any text that is not empty. */
export function anyText(what: string): Reader<string> {
  return textLike(what, () => true, "text");
}

/** A reader of true and false; of text too, which is what a variable leaves. */
export function flag(what: string): Reader<boolean> {
  return (value, fail) => {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    fail({ code: "WrongType", message: `${what} must be true or false, got ${shown(value)}` });
    return undefined;
  };
}

/** A reader of whole numbers; of digits in text too. */
export function wholeNumber(what: string, least: number, most: number): Reader<number> {
  return (value, fail) => {
    const number = typeof value === "string" && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= least && number <= most)
      return number;
    const message = `${what} must be a whole number from ${least} to ${most}, got ${shown(value)}`;
    fail({ code: "BadValue", message });
    return undefined;
  };
}

const DURATION = /^(?:[0-9]{1,9}(?:ms|s|m|h))+$/;

/** A reader of durations as docker compose writes them, `1m30s`; answers milliseconds. */
export function duration(what: string, leastMs: number, mostMs: number): Reader<number> {
  return (value, fail) => {
    const hint = `${what}: 10s`;
    const ms = typeof value === "string" && DURATION.test(value) ? millisecondsOf(value) : undefined;
    if (ms === undefined) {
      const message = `${what} must be a duration like 500ms, 10s or 1m30s, got ${shown(value)}`;
      fail({ code: "BadDuration", message, hint });
      return undefined;
    }
    if (ms >= leastMs && ms <= mostMs) return ms;
    const bounds = `from ${durationWords(leastMs)} to ${durationWords(mostMs)}`;
    fail({ code: "BadDuration", message: `${what} must be ${bounds}, got ${shown(value)}` });
    return undefined;
  };
}

function durationWords(ms: number): string {
  const unit = (["h", "m", "s"] as const).find((one) => ms > 0 && ms % UNIT_MS[one] === 0) ?? "ms";
  return `${ms / UNIT_MS[unit]}${unit}`;
}

/** A reader of lists, each item by its own reader; one item may stand alone. */
export function listOf<T>(what: string, item: Reader<T>, alone: "alone" | "list"): Reader<readonly T[]> {
  return (value, fail) => {
    if (!Array.isArray(value) && (alone === "list" || typeof value !== "string")) {
      fail({
        code: "WrongType",
        message: `${what} must be a list, got ${shown(value)}`,
        hint: `${what}: [a, b]`,
      });
      return undefined;
    }
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const read: T[] = [];
    for (const [index, one] of items.entries()) {
      const path = Array.isArray(value) ? [index] : [];
      const found = item(one, (problem) => fail(below(problem, path)));
      if (found !== undefined) read.push(found);
    }
    return read.length === items.length ? read : undefined;
  };
}

/** A reader of maps whose keys are free. */
export function mapOf<T>(
  what: string,
  key: Reader<string>,
  item: Reader<T>,
): Reader<Readonly<Record<string, T>>> {
  return (value, fail) => {
    const map = mapping(value);
    if (map === undefined) {
      fail({ code: "WrongType", message: `${what} must be a map, got ${shown(value)}` });
      return undefined;
    }
    let good = true;
    const read: [string, T][] = [];
    for (const [name, one] of map) {
      if (one === null) continue; // taken back
      const isKey = key(name, (problem) => fail({ ...below(problem, [name]), atKey: true })) !== undefined;
      const found = item(one, (problem) => fail(below(problem, [name])));
      if (isKey && found !== undefined) read.push([name, found]);
      else good = false;
    }
    return good ? Object.fromEntries(read) : undefined;
  };
}

/** A map with fields of its own, read one by one. */
export class Fielded {
  readonly #what: string;
  readonly #map: ReadonlyMap<string, unknown>;
  readonly #fail: Fail;
  readonly #known: string[] = [];
  #good = true;

  private constructor(what: string, map: ReadonlyMap<string, unknown>, fail: Fail) {
    this.#what = what;
    this.#map = map;
    this.#fail = fail;
  }

  /** Undefined after telling that the value is no map. */
  static open(what: string, value: unknown, fail: Fail, hint?: string): Fielded | undefined {
    const map = mapping(value);
    if (map !== undefined) return new Fielded(what, map, fail);
    const message = `${what} must be a map, got ${shown(value)}`;
    fail({ code: "WrongType", message, ...(hint !== undefined && { hint }) });
    return undefined;
  }

  /** The field's value; undefined when it is not there, null, or wrong. */
  read<T>(name: string, reader: Reader<T>): T | undefined {
    this.#known.push(name);
    const value = this.#map.get(name);
    if (value === undefined || value === null) return undefined;
    const found = reader(value, (problem) => this.#fail(below(problem, [name])));
    if (found === undefined) this.#good = false;
    return found;
  }

  /** Tells that fields do not go together. */
  refuse(name: string, message: string): void {
    this.#good = false;
    this.#fail(below({ code: "BadValue", message: `${this.#what}: ${message}` }, [name]));
  }

  /** Tells of unknown fields, and answers whether all was well. */
  isGood(): boolean {
    for (const key of this.#map.keys()) {
      if (this.#known.includes(key)) continue;
      this.#good = false;
      const hint = suggest(key, this.#known) ?? `known keys: ${this.#known.join(", ")}`;
      const message = `unknown key ${quoted(key)} in ${this.#what}`;
      this.#fail({ code: "UnknownKey", message, hint, path: [key], atKey: true });
    }
    return this.#good;
  }
}

function below(problem: Problem, path: readonly (string | number)[]): Problem {
  return { ...problem, path: [...path, ...(problem.path ?? [])] };
}

function mapping(value: unknown): ReadonlyMap<string, unknown> | undefined {
  return isPlainMap(value) ? new Map(Object.entries(value)) : undefined;
}
