/**
 * The one-line form of a forward: `[bind:]local:[ns/]kind/name[:port[/proto]]`, as in `8080:svc/api:http`.
 * An IPv6 address to bind stands in brackets.
 */
import { readBind } from "./address.ts";
import { readLocal, readPort } from "./port.ts";
import { quoted } from "../printable.ts";
import type { Fail, Problem, TextPart } from "./problem.ts";
import { readTargetText, type PlacedTarget } from "./target.ts";

/** What a compact form says, each with the characters that say it. */
export interface Compact {
  readonly bind?: Piece<readonly string[]>;
  readonly local: Piece<number | "auto">;
  readonly target: Piece<PlacedTarget>;
  readonly port?: Piece<number | string>;
  readonly protocol?: Piece<"tcp" | "udp">;
}

/** A value and the part of the text it was read from. */
export interface Piece<T> {
  readonly value: T;
  readonly part: TextPart;
}

interface Word {
  readonly text: string;
  readonly index: number;
}

const FORM = "[bind:]local:kind/name:port[/proto]";

/** Reads a compact form; tells every problem, at the characters concerned. */
export function readCompact(text: string, fail: Fail): Compact | undefined {
  const words = split(text, fail);
  if (words === undefined) return undefined;
  const bind = words.bind && take(words.bind, (word, tell) => readBind(word, tell), fail);
  const local = take(words.local, readLocal, fail);
  const target = take(words.target, readTargetText, fail);
  const port = words.port && take(words.port, (word, tell) => readPort(word, "port", tell), fail);
  const protocol = words.protocol && take(words.protocol, readProtocol, fail);
  if (local === undefined || target === undefined) return undefined;
  if ((words.bind && !bind) || (words.port && !port) || (words.protocol && !protocol)) return undefined;
  return { local, target, ...(bind && { bind }), ...(port && { port }), ...(protocol && { protocol }) };
}

interface Words {
  readonly bind?: Word;
  readonly local: Word;
  readonly target: Word;
  readonly port?: Word;
  readonly protocol?: Word;
}

/** Finds which word is which: the target is the first with a slash, what is before it local, after it remote. */
function split(text: string, fail: Fail): Words | undefined {
  const refuse = (message: string, word: Word, hint = `as in "8080:svc/api:http"`): undefined => {
    const part = { index: word.index, length: Math.max(1, word.text.length) };
    fail({ code: "BadCompact", message: `cannot read ${quoted(text)}: ${message}`, hint, part });
  };
  const bracketed = /^\[([^\]]*)\]:/.exec(text);
  const bracketBind = bracketed === null ? undefined : { text: bracketed[1] ?? "", index: 1 };
  const words = wordsOf(text, bracketed === null ? 0 : bracketed[0].length);
  const at = words.findIndex((word) => word.text.includes("/"));
  const target = words[at];
  if (target === undefined) return refuse(`expected ${FORM}`, words[1] ?? words[0] ?? { text, index: 0 });
  const local = words[at - 1];
  if (local === undefined) return refuse(`expected a local port before ${quoted(target.text)}`, target);
  if (local.text === "") {
    const meant = `${text.slice(0, local.index)}auto${text.slice(local.index)}`;
    return refuse("the local port is empty", local, `write ${quoted(meant)} for any free port`);
  }
  if (at > 2)
    return refuse(
      "too many colons before the target",
      { text: "", index: words[2]?.index ?? 0 },
      "put an IPv6 address in brackets: [::1]:8080:svc/api:http",
    );
  if (at === 2 && bracketBind !== undefined)
    return refuse("it has two addresses to bind", words[0] ?? target);
  const bind = bracketBind ?? (at === 2 ? words[0] : undefined);
  const [port, extra] = words.slice(at + 1);
  if (extra !== undefined)
    return refuse("too many colons after the target", { text: `:${extra.text}`, index: extra.index - 1 });
  return { ...(bind && { bind }), local, target, ...(port && portAndProtocol(port)) };
}

function portAndProtocol(word: Word): { port: Word; protocol?: Word } {
  const slash = word.text.indexOf("/");
  if (slash === -1) return { port: word };
  const port = { text: word.text.slice(0, slash), index: word.index };
  return { port, protocol: { text: word.text.slice(slash + 1), index: word.index + slash + 1 } };
}

function wordsOf(text: string, from: number): readonly Word[] {
  let index = from;
  return text
    .slice(from)
    .split(":")
    .map((word) => {
      const found = { text: word, index };
      index += word.length + 1;
      return found;
    });
}

function readProtocol(word: string, fail: Fail): "tcp" | "udp" | undefined {
  if (word === "tcp" || word === "udp") return word;
  fail({ code: "BadValue", message: `protocol must be "tcp" or "udp", got ${quoted(word)}` });
  return undefined;
}

/** Reads one word; its problems are moved to where the word stands. */
function take<T>(
  word: Word,
  read: (text: string, fail: Fail) => T | undefined,
  fail: Fail,
): Piece<T> | undefined {
  const part = { index: word.index, length: word.text.length };
  const value = read(word.text, (problem: Problem) => {
    const inner = problem.part ?? { index: 0, length: word.text.length };
    fail({ ...problem, part: { index: word.index + inner.index, length: inner.length } });
  });
  return value === undefined ? undefined : { value, part };
}
