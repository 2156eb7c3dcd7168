/** The supervisor's log: one JSON document a line, bounded in size and rate. Whatever happens to it, forwards go on. */
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { redactField } from "../../redact.ts";
import type { Clock, Log, LogFields } from "../deps.ts";
import { makeFolder } from "./makefolder.ts";
import type { LogLevel } from "../wire/logline.ts";

/** A file that has grown beyond this is moved aside, in bytes. */
const FILE_MAX_BYTES = 5 * 1024 * 1024;

/** `kfwd.log`, `kfwd.log.1` and `kfwd.log.2`. */
export const FILES_KEPT = 3;

/** Lines a second that name the same forward, and lines that name none. */
const FORWARD_LINES_MAX = 20;
const OTHER_LINES_MAX = 100;
const WINDOW_MS = 1_000;

/** A log that could not be opened is tried again this much later, at its next line. */
const REOPEN_MS = 5_000;

type Level = LogLevel;

/** Lines about one forward within the current second. */
interface Window {
  lines: number;
  suppressed: number;
  readonly timer: Disposable;
}

interface OpenFile {
  readonly kind: "open";
  readonly fd: number;
  bytes: number;
  /** The disk had room for a part of the last line only. */
  isCut: boolean;
}

/** A log that stands open, or that is not to be opened before a moment of the clock. */
type LogFile = OpenFile | { readonly kind: "shut"; readonly untilMs: number };

/**
 * Appends to `path`, mode 0600, which it creates with its folder. Never throws: lines that cannot be written (disk
 * full, no permission) are dropped and counted. Disposing closes the file.
 */
export class FileLog implements Log, Disposable {
  readonly path: string;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();
  #file: LogFile = { kind: "shut", untilMs: Number.NEGATIVE_INFINITY };
  #dropped = 0;
  /** Of those, the ones that the log has not told of yet. */
  #untold = 0;

  constructor(clock: Clock, path: string) {
    this.#clock = clock;
    this.path = path;
  }

  /** Lines lost because they could not be written. */
  get dropped(): number {
    return this.#dropped;
  }

  debug(event: string, fields?: LogFields): void {
    this.#line("debug", event, fields);
  }
  info(event: string, fields?: LogFields): void {
    this.#line("info", event, fields);
  }
  warn(event: string, fields?: LogFields): void {
    this.#line("warn", event, fields);
  }
  error(event: string, fields?: LogFields): void {
    this.#line("error", event, fields);
  }

  /** Closes the file; the next line opens what is at the path then. */
  reopen(): void {
    if (this.#file.kind === "open") closeQuietly(this.#file.fd);
    this.#file = { kind: "shut", untilMs: Number.NEGATIVE_INFINITY };
  }

  [Symbol.dispose](): void {
    for (const [forward, window] of this.#windows) this.#endWindow(forward, window);
    this.reopen();
  }

  #line(level: Level, event: string, fields: LogFields = {}): void {
    if (this.#mayWrite(fields)) this.#write(level, event, fields);
  }

  #mayWrite(fields: LogFields): boolean {
    const named = fields["forward"];
    const forward = typeof named === "string" ? named : "";
    const window = this.#windows.get(forward) ?? this.#startWindow(forward);
    if (window.lines >= (forward === "" ? OTHER_LINES_MAX : FORWARD_LINES_MAX)) {
      window.suppressed++;
      return false;
    }
    window.lines++;
    return true;
  }

  #startWindow(forward: string): Window {
    const timer = this.#clock.timer(WINDOW_MS, () => this.#endWindow(forward, window));
    const window: Window = { lines: 0, suppressed: 0, timer };
    this.#windows.set(forward, window);
    return window;
  }

  #endWindow(forward: string, window: Window): void {
    window.timer[Symbol.dispose]();
    this.#windows.delete(forward);
    if (window.suppressed === 0) return;
    const who = forward === "" ? {} : { forward };
    this.#write("warn", "log.suppressed", { ...who, lines: window.suppressed });
  }

  /** What was lost is told as soon as there is a way to. */
  #write(level: Level, event: string, fields: LogFields): void {
    const lost = this.#untold;
    if (lost > 0 && this.#tryToWrite(this.#format("warn", "log.dropped", { lines: lost }))) this.#untold = 0;
    if (this.#tryToWrite(this.#format(level, event, fields))) return;
    this.#dropped++; // a log that cannot be written cannot say so
    this.#untold++;
  }

  #tryToWrite(text: string): boolean {
    try {
      const file = this.#openFile();
      if (file === undefined) return false;
      const line = Buffer.from(file.isCut ? `\n${text}` : text);
      const written = writeSync(file.fd, line);
      file.bytes += written;
      if (written > 0) file.isCut = written < line.length;
      return written === line.length;
    } catch {
      return false;
    }
  }

  #format(level: Level, event: string, fields: LogFields): string {
    // oxlint-disable-next-line no-restricted-globals -- formats a time, does not read one
    const time = new Date(this.#clock.wall()).toISOString();
    const shown = Object.entries(fields).map(([name, value]) => [name, redactField(name, value)] as const);
    const head = { time, level, event };
    return `${escapeInvisible(JSON.stringify({ ...head, ...Object.fromEntries(shown), ...head }))}\n`;
  }

  /** The file to write to, moved aside first if it is full; undefined while it cannot be opened. */
  #openFile(): OpenFile | undefined {
    if (this.#file.kind === "shut") {
      if (this.#clock.now() < this.#file.untilMs) return undefined;
      this.#open();
    }
    if (this.#file.kind === "open" && this.#file.bytes >= FILE_MAX_BYTES) {
      closeQuietly(this.#file.fd);
      this.#moveAside();
      this.#open();
    }
    return this.#file.kind === "open" ? this.#file : undefined;
  }

  #open(): void {
    this.#file = { kind: "shut", untilMs: this.#clock.now() + REOPEN_MS }; // unless it opens
    makeFolder(dirname(this.path));
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    const fd = openSync(this.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    this.#file = { kind: "open", fd, bytes: fstatSync(fd).size, isCut: false };
  }

  #moveAside(): void {
    for (let number = FILES_KEPT - 1; number >= 1; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      renameQuietly(from, `${this.path}.${number}`);
    }
  }
}

/** JSON escapes the ASCII control characters; these do as much to a terminal, or hide what is written. */
function escapeInvisible(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // nothing is lost but what the disk refused anyway
  }
}

function renameQuietly(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // not there yet
  }
}
