/** The terminal of whoever started this process in the background, for as long as somebody may be asked there. */
import { closeSync, openSync, writeSync } from "node:fs";
import { devNull } from "node:os";
import type { Terminal } from "../deps.ts";

/** Of the child: beside its standard streams, of which the first is the terminal's, and the channel to its parent. */
export const TERMINAL_FD = 4;

/** Is there until it is disposed; programs that are started later cannot ask there any more. */
export class LentTerminal implements Disposable {
  #terminal: Terminal | undefined = { say };

  get current(): Terminal | undefined {
    return this.#terminal;
  }

  [Symbol.dispose](): void {
    if (this.#terminal === undefined) return;
    this.#terminal = undefined;
    closeSync(TERMINAL_FD);
    closeSync(0);
    openSync(devNull, "r"); // gets the lowest number that is free
  }
}

function say(text: string): void {
  try {
    writeSync(TERMINAL_FD, text);
  } catch {
    // it has been closed
  }
}
