/** Tells when files have changed, by whatever way an editor, git or a mount lets them. */
import { statSync, watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../deps.ts";

/** An editor writes a file in several steps, git many files in turn. */
const SETTLE_MS = 200;

/** What never settles is looked at all the same. */
const SETTLE_MAX_MS = 2_000;

/** Not every file system tells of changes, nor does a folder that was replaced. */
const LOOK_MS = 2_000;

/** Watches until disposed. */
export class FileWatch implements Disposable {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #watchers: readonly FSWatcher[] = [];
  #paths: readonly string[] = [];
  #stamps = "";
  #timer: Disposable;
  #settling: { readonly sinceMs: number; readonly timer: Disposable } | undefined;

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#timer = clock.timer(LOOK_MS, () => this.#lookRegularly());
  }

  /** From now on these files, which need not be there, and no others. */
  watch(paths: readonly string[]): void {
    this.#paths = [...new Set(paths)];
    this.#stamps = stampsOf(this.#paths);
    this.#close();
    const folders = new Set(this.#paths.map((path) => dirname(path)));
    this.#watchers = [...folders].flatMap((folder) => this.#watchFolder(folder));
  }

  [Symbol.dispose](): void {
    this.#close();
    this.#timer[Symbol.dispose]();
    this.#settling?.timer[Symbol.dispose]();
    this.#settling = undefined;
  }

  /** The folder, since a file that is replaced is another one. */
  #watchFolder(folder: string): readonly FSWatcher[] {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#stir());
      watcher.on("error", () => watcher.close()); // the regular look goes on
      return [watcher];
    } catch {
      return []; // it is not there, or there are too many watches
    }
  }

  #stir(): void {
    const nowMs = this.#clock.now();
    const sinceMs = this.#settling?.sinceMs ?? nowMs;
    if (nowMs - sinceMs > SETTLE_MAX_MS) return; // its timer is about to fire
    this.#settling?.timer[Symbol.dispose]();
    const timer = this.#clock.timer(SETTLE_MS, () => {
      this.#settling = undefined;
      this.#look();
    });
    this.#settling = { sinceMs, timer };
  }

  #lookRegularly(): void {
    this.#timer = this.#clock.timer(LOOK_MS, () => this.#lookRegularly());
    if (stampsOf(this.#paths) !== this.#stamps) this.#stir();
  }

  #look(): void {
    const stamps = stampsOf(this.#paths);
    if (stamps === this.#stamps) return; // something else in these folders
    this.#stamps = stamps;
    this.#onChange();
  }

  #close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }
}

/** Text that is another one when a file was written, replaced, made or removed. */
function stampsOf(paths: readonly string[]): string {
  return paths.map(stampOf).join(" ");
}

function stampOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
  } catch {
    return "-";
  }
}
