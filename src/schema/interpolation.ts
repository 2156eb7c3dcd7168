/** `${NAME}` and its forms in one text, as docker compose has them. */
import type { TextPart } from "./problem.ts";

/** Who knows the values of variables. */
export interface Variables {
  /** Undefined when it is not set. */
  get(name: string): VariableValue | undefined;
}

export interface VariableValue {
  readonly value: string;
  readonly from: "process" | "file";
}

/** A variable that was met, set or not. */
export interface Met {
  readonly name: string;
  readonly default?: string;
  /** Nothing stands in for it where it is not set. */
  readonly required: boolean;
  readonly found?: VariableValue;
  readonly part: TextPart;
}

/** Why a text cannot be taken. */
export interface Unfit {
  readonly code: "UnsetVariable" | "BadVariable";
  readonly message: string;
  readonly hint?: string;
  readonly part: TextPart;
}

export interface Interpolated {
  readonly text: string;
  readonly met: readonly Met[];
  readonly unfit: readonly Unfit[];
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
/** `${A:-${B:-…}}` deeper than this is no use to anybody. */
const NESTING_MAX = 8;
const FORM = "${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+other}";
const DOLLAR_HINT = 'write "$$" for a dollar sign';

/** The text with its variables put in. */
export function interpolateText(text: string, variables: Variables): Interpolated {
  return new Reading(text, variables).whole();
}

class Reading {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #met: Met[] = [];
  readonly #unfit: Unfit[] = [];
  #at = 0;
  /** Nothing after it can be read. */
  #broken = false;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  whole(): Interpolated {
    const text = this.#until(() => false, "used", 0);
    return { text, met: this.#met, unfit: this.#unfit };
  }

  /** Reads on to a character that ends it, which stays unread. `skipped`: what is read will not be used. */
  #until(isEnd: (char: string) => boolean, use: "used" | "skipped", depth: number): string {
    const parts: string[] = [];
    while (this.#at < this.#text.length && !this.#broken) {
      const char = this.#text[this.#at] ?? "";
      if (isEnd(char)) break;
      if (char === "$") parts.push(this.#dollar(use, depth));
      else {
        const dollar = this.#text.slice(this.#at).search(depth === 0 ? /\$/ : /[$}]/);
        const end = dollar === -1 ? this.#text.length : this.#at + dollar;
        parts.push(this.#text.slice(this.#at, end));
        this.#at = end;
      }
    }
    return parts.join("");
  }

  #dollar(use: "used" | "skipped", depth: number): string {
    const start = this.#at;
    this.#at++;
    if (this.#text[this.#at] === "$") {
      this.#at++;
      return "$";
    }
    if (this.#text[this.#at] === "{") return this.#braces(start, use, depth);
    const name = this.#take(NAME);
    if (name === undefined) return this.#refuse(start, 'a "$" must be followed by the name of a variable');
    return this.#plain(name, start, use);
  }

  #braces(start: number, use: "used" | "skipped", depth: number): string {
    this.#at++;
    const name = this.#take(NAME);
    if (name === undefined) return this.#refuse(start, `a variable is written ${FORM}`);
    if (depth >= NESTING_MAX) return this.#refuse(start, `variables are nested deeper than ${NESTING_MAX}`);
    const operator = this.#take(OPERATOR);
    const found = this.#variables.get(name);
    if (operator === undefined) {
      if (!this.#close()) return this.#refuse(start, this.#endText(name));
      return this.#plain(name, start, use);
    }
    const isSet = found !== undefined && !(operator.startsWith(":") && found.value === "");
    const kind = operator.at(-1);
    const isWordUsed = use === "used" && (kind === "+" ? isSet : !isSet);
    const unsetBefore = this.#unfit.length;
    const word = this.#until((char) => char === "}", isWordUsed ? "used" : "skipped", depth + 1);
    if (this.#broken) return "";
    if (!this.#close()) return this.#refuse(start, this.#endText(name));
    const part = { index: start, length: this.#at - start };
    const hasDefault = kind === "-" && this.#unfit.length === unsetBefore;
    const required = kind === "?" && use === "used";
    this.#met.push({ name, ...(hasDefault && { default: word }), required, ...(found && { found }), part });
    if (kind === "+") return isSet ? word : "";
    if (isSet) return found.value;
    if (kind === "-" || use === "skipped") return word;
    const message = word === "" ? `variable ${name} is not set` : `variable ${name} is not set: ${word}`;
    this.#unfit.push({ code: "UnsetVariable", message, part });
    return "";
  }

  #plain(name: string, start: number, use: "used" | "skipped"): string {
    const found = this.#variables.get(name);
    const part = { index: start, length: this.#at - start };
    this.#met.push({ name, required: use === "used", ...(found && { found }), part });
    if (found === undefined && use === "used") {
      const hint = `set it, or write "\${${name}:-default}"`;
      this.#unfit.push({ code: "UnsetVariable", message: `variable ${name} is not set`, hint, part });
    }
    return found?.value ?? "";
  }

  #endText(name: string): string {
    return this.#at >= this.#text.length
      ? `the "}" of variable ${name} is missing`
      : `a variable is written ${FORM}`;
  }

  #close(): boolean {
    const closes = this.#text[this.#at] === "}";
    if (closes) this.#at++;
    return closes;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #refuse(start: number, message: string): string {
    const part = { index: start, length: Math.max(1, this.#at - start) };
    this.#broken = true;
    this.#unfit.push({ code: "BadVariable", message, hint: DOLLAR_HINT, part });
    return "";
  }
}
