/** What someone meant who wrote a word that is not known. */
import { distance } from "fastest-levenshtein";
import { either, quoted } from "./printable.ts";

const WORD_MAX_CHARS = 64;
const PREFIX_MIN_CHARS = 3;
const SUGGESTIONS_MAX = 2;

/**
 * A hint such as `did you mean "port" or "protocol"?`, or undefined when no known word is near: a few letters
 * wrong, or the start of the word only. Two words at most, the nearest first.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  return near.length === 0 ? undefined : `did you mean ${either(near.map(quoted))}?`;
}

const LISTED_MAX = 10;

/** `did you mean "api"? services there: api, db, dns`; undefined where there is nothing to name. */
export function suggestFrom(word: string, known: readonly string[], what: string): string | undefined {
  if (known.length === 0) return undefined;
  const more = known.length > LISTED_MAX ? ` and ${known.length - LISTED_MAX} more` : "";
  const list = `${what}: ${known.slice(0, LISTED_MAX).join(", ")}${more}`;
  const near = suggest(word, known);
  return near === undefined ? list : `${near} ${list}`;
}

function nearest(word: string, known: readonly string[]): readonly string[] {
  if (word.length > WORD_MAX_CHARS) return [];
  const plain = simplified(word);
  const scored = known
    .map((candidate) => ({ candidate, score: mistakes(plain, simplified(candidate)) }))
    .filter(({ score }) => score <= mistakesAllowed(plain));
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, SUGGESTIONS_MAX)
    .map(({ candidate }) => candidate);
}

/** Case, `-` and `_` are matters of taste between tools. */
function simplified(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}

/** A word that stops early has one mistake, however long the rest is. */
function mistakes(word: string, candidate: string): number {
  if (word === candidate) return 0;
  if (isSwap(word, candidate)) return 1;
  const edits = distance(word, candidate);
  return word.length >= PREFIX_MIN_CHARS && candidate.startsWith(word) ? 1 : edits;
}

/** Whether two neighbouring letters changed places, which plain edit distance counts twice. */
function isSwap(word: string, candidate: string): boolean {
  if (word.length !== candidate.length) return false;
  let at = 0;
  while (at < word.length && word[at] === candidate[at]) at++;
  return (
    word[at] === candidate[at + 1] &&
    word[at + 1] === candidate[at] &&
    word.slice(at + 2) === candidate.slice(at + 2)
  );
}

function mistakesAllowed(word: string): number {
  if (word.length <= 2) return 0;
  if (word.length <= 5) return 1;
  return word.length <= 9 ? 2 : 3;
}
