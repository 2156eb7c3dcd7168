/** As much of Starlark as calls with plain arguments need; nothing is run. */

/** A value as it is written. */
export type Value =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | { readonly kind: "call"; readonly call: Call }
  /** A variable, an expression: known to who runs it. */
  | { readonly kind: "other" };

/** A call as it is written. */
export interface Call {
  readonly name: string;
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
  /** Counts from 1. */
  readonly line: number;
}

interface Token {
  readonly kind: "text" | "number" | "word" | "mark";
  readonly text: string;
  readonly line: number;
}

/** The calls of these names, wherever they stand. */
export function readCalls(text: string, names: readonly string[]): readonly Call[] {
  const cursor = new Cursor(tokensOf(text));
  const calls: Call[] = [];
  for (let token = cursor.take(); token !== undefined; token = cursor.take()) {
    const isCall = token.kind === "word" && names.includes(token.text) && cursor.isAt("(");
    if (isCall) calls.push(readCall(token, cursor));
  }
  return calls;
}

const TOKEN =
  /#[^\n]*|\n|[rb]?"""([\s\S]*?)"""|[rb]?'''([\s\S]*?)'''|[rb]?"((?:\\.|[^"\\\n])*)"|[rb]?'((?:\\.|[^'\\\n])*)'|(\d+)|([A-Za-z_]\w*)|([^\s\w])/g;

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (const [whole, long, long2, double, single, number, word, mark] of text.matchAll(TOKEN)) {
    const quoted = long ?? long2 ?? double ?? single;
    if (quoted !== undefined) tokens.push({ kind: "text", text: quoted.replaceAll(/\\(.)/g, "$1"), line });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, line });
    else if (word !== undefined) tokens.push({ kind: "word", text: word, line });
    else if (mark !== undefined && !whole.startsWith("#")) tokens.push({ kind: "mark", text: mark, line });
    line += whole.split("\n").length - 1;
  }
  return tokens;
}

class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  isAt(mark: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "mark" && token.text === mark;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  take(): Token | undefined {
    return this.#tokens[this.#at++];
  }

  /** Past the end of this value: a comma or a closing bracket of the same depth. True if there was anything. */
  skipValue(): boolean {
    let depth = 0;
    let moved = false;
    for (let token = this.next; token !== undefined; token = this.next) {
      if (token.kind === "mark") {
        if (depth === 0 && [",", ")", "]", "}"].includes(token.text)) return moved;
        if (["(", "[", "{"].includes(token.text)) depth++;
        if ([")", "]", "}"].includes(token.text)) depth--;
      }
      moved = true;
      this.#at++;
    }
    return moved;
  }
}

/** Deeper than anyone writes them. */
const DEPTH_MAX = 20;

function readCall(name: Token, cursor: Cursor, depth = 0): Call {
  const positional: Value[] = [];
  const named = new Map<string, Value>();
  cursor.take(); // the bracket
  while (cursor.next !== undefined && !cursor.isAt(")")) {
    const key =
      cursor.next.kind === "word" && cursor.isAt("=", 1) && !cursor.isAt("=", 2)
        ? cursor.next.text
        : undefined;
    if (key !== undefined) {
      cursor.take();
      cursor.take();
      named.set(key, readValue(cursor, depth));
    } else {
      positional.push(readValue(cursor, depth));
    }
    if (!cursor.isAt(")")) cursor.take();
  }
  cursor.take();
  return { name: name.text, positional, named, line: name.line };
}

function readValue(cursor: Cursor, depth: number): Value {
  const value = depth < DEPTH_MAX ? readStart(cursor, depth) : ({ kind: "other" } as const);
  return cursor.skipValue() ? { kind: "other" } : value; // more of it: an expression
}

function readStart(cursor: Cursor, depth: number): Value {
  const token = cursor.next;
  if (token?.kind === "text") {
    cursor.take();
    return { kind: "text", text: token.text };
  }
  if (token?.kind === "number") {
    cursor.take();
    return { kind: "number", number: Number(token.text) };
  }
  if (token?.kind === "word" && cursor.isAt("(", 1)) {
    cursor.take();
    return { kind: "call", call: readCall(token, cursor, depth + 1) };
  }
  return cursor.isAt("[") ? readList(cursor, depth + 1) : { kind: "other" };
}

function readList(cursor: Cursor, depth: number): Value {
  const items: Value[] = [];
  cursor.take();
  while (cursor.next !== undefined && !cursor.isAt("]")) {
    items.push(readValue(cursor, depth));
    if (!cursor.isAt("]")) cursor.take();
  }
  cursor.take();
  return { kind: "list", items };
}
