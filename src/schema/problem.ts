/** What the readers of single values say when they cannot take one. */

/** A finding about one value, before it is known in which file and forward it stands. */
export interface Problem {
  readonly code: string;
  /** Without naming the forward: `local must be 1-65535 or "auto", got 99999`. */
  readonly message: string;
  readonly hint?: string;
  /** The part of a string value that is meant; absent: all of it. */
  readonly part?: TextPart;
  /** The way down from the value to the item that is meant, in lists and maps. */
  readonly path?: readonly (string | number)[];
  /** It is about the key at the end of `path`, not its value. */
  readonly atKey?: boolean;
}

/** Characters of a string value, as JavaScript counts them. */
export interface TextPart {
  readonly index: number;
  readonly length: number;
}

/** How a reader tells a problem; it then answers undefined. */
export type Fail = (problem: Problem) => void;
