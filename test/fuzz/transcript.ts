import { KfwdError } from "../../src/errors.ts";

/** What a decoder has said, as lines; the parts of one payload are joined, so that where chunks ended must not show. */
export class Transcript {
  readonly #lines: string[] = [];
  #open: { readonly label: string; hex: string } | undefined;

  /** An event without payload, or with one that comes whole. */
  say(line: string): void {
    this.#endPayload();
    this.#lines.push(line);
  }

  /** Part of a payload: goes on with the one before under the same label. */
  add(label: string, part: Buffer): void {
    if (part.length === 0) throw new Error(`an empty part of "${label}"`);
    if (this.#open?.label !== label) this.#endPayload();
    this.#open ??= { label, hex: "" };
    this.#open.hex += part.toString("hex");
  }

  get lines(): readonly string[] {
    this.#endPayload();
    return this.#lines;
  }

  #endPayload(): void {
    if (this.#open !== undefined) this.#lines.push(`${this.#open.label} ${this.#open.hex}`);
    this.#open = undefined;
  }
}

/** The message of a PROTOCOL failure. Anything else that is thrown is a defect, and thrown on. */
export function protocolFailure(thrown: unknown): string {
  if (thrown instanceof KfwdError && thrown.code === "PROTOCOL") return thrown.message;
  throw thrown;
}
