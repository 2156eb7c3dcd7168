/** A lock that this process has taken: kept true, kept alive, and given back. */
import { utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { KfwdError } from "../../errors.ts";
import { encodeLock, type LockRecord } from "../wire/lockrecord.ts";
import type { LockDeps } from "./inspect.ts";
import { makePrivateFolder } from "./place.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { publishNew, removeEmptyFolder, removeFile, replaceFile } from "./publish.ts";
import { readLock } from "./readlock.ts";

/** What may change while one process has the lock. */
export type LockPatch = Partial<
  Pick<
    LockRecord,
    "project" | "config" | "state" | "forwards" | "stopped" | "owners" | "relays" | "lastWords"
  >
>;

/**
 * How the lock fares.
 * - `held`: it is there and ours
 * - `restored`: it had vanished and is there again
 * - `unseen`: no file descriptor was left to look with: the next check will tell
 * - `homeless`: it has vanished, and its folder cannot be made: the system removes it when the user logs out
 * - `lost`: it is another's, or no lock any more: this process must end its forwards
 */
export type LockHealth =
  | { readonly kind: "held" | "restored" | "unseen" }
  | { readonly kind: "homeless" | "lost"; readonly why: string };

/** Calls run one after the other. Disposing removes the lock, unless it has become another's. */
export class OwnedLock implements AsyncDisposable {
  readonly #deps: LockDeps;
  readonly #files: ProjectFiles;
  #record: LockRecord;
  #turn: Promise<unknown> = Promise.resolve();
  #stage: "owned" | "released" = "owned";

  constructor(deps: LockDeps, files: ProjectFiles, record: LockRecord) {
    this.#deps = deps;
    this.#files = files;
    this.#record = record;
  }

  /** What the lock says, or will say as soon as it can be written. */
  get record(): LockRecord {
    return this.#record;
  }

  /**
   * Changes what the lock says. When it cannot be written the old text stands until another update can be, which
   * writes this one too.
   * @throws KfwdError `RUNTIME_FOLDER`; `LOCK_TAKEN` when it is ours no more.
   */
  update(patch: LockPatch): Promise<void> {
    return this.#inTurn(async () => {
      this.#record = { ...this.#record, ...patch };
      if (this.#stage === "released") return;
      if (!this.#isOurs()) throw new KfwdError("LOCK_TAKEN", `lock "${this.#files.lock}" is ours no more`);
      await replaceFile(this.#files.lock, encodeLock(this.#record));
    });
  }

  /** To be called each 15 s: what cleans temporary folders goes by age, and what was removed is put back. */
  check(): Promise<LockHealth> {
    return this.#inTurn(async () => {
      const reading = readLock(this.#files.lock, this.#deps.uid);
      switch (reading.kind) {
        case "none":
          return this.#restore();
        case "unseen":
          return { kind: "unseen" };
        case "bad":
          return { kind: "lost", why: `the lock ${reading.why}` };
        case "value":
      }
      if (reading.value.instance !== this.#record.instance)
        return { kind: "lost", why: `another supervisor (pid ${reading.value.pid}) has taken the lock` };
      await this.#touch();
      return { kind: "held" };
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inTurn(async () => {
      this.#stage = "released";
      if (this.#isOurs()) removeFile(this.#files.lock);
      removeEmptyFolder(this.#files.folder);
    });
  }

  #isOurs(): boolean {
    const reading = readLock(this.#files.lock, this.#deps.uid);
    return reading.kind === "value" && reading.value.instance === this.#record.instance;
  }

  #restore(): LockHealth {
    try {
      makePrivateFolder(dirname(this.#files.folder), this.#deps.uid);
      makePrivateFolder(this.#files.folder, this.#deps.uid);
      switch (publishNew(this.#files.lock, encodeLock(this.#record))) {
        case "published":
          return { kind: "restored" };
        case "exists":
          return { kind: "lost", why: "another supervisor has taken the lock" };
        case "folderGone":
          return { kind: "homeless", why: "its folder is being removed" };
      }
    } catch (thrown) {
      return { kind: "homeless", why: KfwdError.from(thrown).message };
    }
  }

  async #touch(): Promise<void> {
    const seconds = this.#deps.clock.wall() / 1000;
    await utimes(this.#files.lock, seconds, seconds).catch(() => {}); // it was there a moment ago: see the next check
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {}); // the caller has it; the next one's turn comes all the same
    return turn;
  }
}
