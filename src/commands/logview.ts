/** The supervisor's log among the lines of a view, from the moment it is asked for. */
import type { Clock, LogLevel, LogReader } from "../runtime/index.ts";
import { entryOf, isLoud } from "./logsource.ts";
import type { Output } from "./output.ts";
import { logText } from "./render/logtext.ts";

/** How often the log is looked at. */
const LOOK_MS = 200;

/** What a view may show of the log, in the order that its key goes through. */
const LEVELS = ["off", "warn", "info", "debug"] as const satisfies readonly (LogLevel | "off")[];

/** Shows nothing until it is told to; ends when it is disposed. */
export class LogView implements Disposable {
  readonly #clock: Clock;
  readonly #out: Output;
  readonly #nameWidth: number;
  #reading: { readonly reader: LogReader; timer: Disposable } | undefined;
  #level: (typeof LEVELS)[number] = "off";

  constructor(clock: Clock, out: Output, nameWidth: number) {
    this.#clock = clock;
    this.#out = out;
    this.#nameWidth = nameWidth;
  }

  get level(): string {
    return this.#level;
  }

  /** Shows more of it, or, after all of it, nothing. */
  next(open: () => LogReader): void {
    const at = LEVELS.indexOf(this.#level);
    this.#level = LEVELS[(at + 1) % LEVELS.length] ?? "off";
    if (this.#level === "off") this.#close();
    else if (this.#reading === undefined) this.#begin(open());
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #begin(reader: LogReader): void {
    reader.read(); // what was before is what `kfwd logs` is for
    this.#reading = { reader, timer: this.#clock.timer(LOOK_MS, () => this.#look()) };
  }

  #look(): void {
    if (this.#reading === undefined || this.#level === "off") return;
    const look = { paint: this.#out.notePaint, prefix: true, time: "local", width: this.#nameWidth } as const;
    for (const entry of this.#reading.reader.read().map(entryOf)) {
      if (isLoud(entry, this.#level)) this.#out.note(logText(entry, look));
    }
    this.#reading.timer = this.#clock.timer(LOOK_MS, () => this.#look());
  }

  #close(): void {
    this.#reading?.timer[Symbol.dispose]();
    this.#reading?.reader[Symbol.dispose]();
    this.#reading = undefined;
  }
}
