/** Being the supervisor of a project: its lock and its socket, taken together and given back together. */
import { dirname } from "node:path";
import type { Log, ServedControl } from "../deps.ts";
import { PROTOCOL } from "../wire/control.ts";
import type { LockedRelay, LockRecord } from "../wire/lockrecord.ts";
import { ControlServer } from "./controlserver.ts";
import { inspect, type LockDeps } from "./inspect.ts";
import { acquire, type Acquired, type Holder } from "./lock.ts";
import type { LockPatch, OwnedLock } from "./ownedlock.ts";
import type { PlaceFacts } from "./place.ts";
import { newSocketPath, type ProjectFiles } from "./projectfiles.ts";
import { newInstance } from "./proof.ts";
import { removeEmptyFolder } from "./publish.ts";

/** How often an owner makes sure that it still is one, in milliseconds. */
export const CHECK_MS = 15_000;

export interface OwnershipDeps extends LockDeps {
  readonly log: Log;
}

/** What is claimed, and what the lock shall say. */
export interface ClaimRequest {
  readonly files: ProjectFiles;
  readonly facts: PlaceFacts;
  /** Is driven by clients from the moment it is claimed, and must cope with them before anything else was done. */
  readonly control: ServedControl;
  readonly about: Pick<LockRecord, "project" | "config" | "log" | "startedAt" | "mode">;
}

/** `held`: somebody else has the project; nothing was changed. */
export type Claimed =
  | { readonly kind: "owned"; readonly ownership: Ownership }
  | { readonly kind: "held"; readonly holder: Holder };

/**
 * Makes this process the supervisor of a project. Whoever asked disposes the ownership, after the forwards have
 * ended: from then on the project is free.
 * @throws KfwdError `RUNTIME_FOLDER`, `LOCK_TAKEN`, with nothing left behind; the signal's reason.
 */
export async function claimProject(
  deps: OwnershipDeps,
  request: ClaimRequest,
  signal: AbortSignal,
): Promise<Claimed> {
  const { files, facts, control } = request;
  const found = await inspect(deps, files, signal);
  if (found.kind !== "none" && found.kind !== "dead") return { kind: "held", holder: found };

  const instance = newInstance();
  // The socket comes first, because a lock whose socket does not answer looks like a supervisor that hangs.
  const server = new ControlServer({ ...deps, control, instance }, newSocketPath(files, facts));
  try {
    await server.open();
    const record = newRecord(deps, request, instance, server.path);
    const acquired = await acquire(deps, files, record, signal);
    if (acquired.kind === "owned")
      return { kind: "owned", ownership: new Ownership(deps, files, acquired, server) };
    await leave(server, files);
    return { kind: "held", holder: acquired.holder };
  } catch (thrown) {
    await leave(server, files);
    throw thrown;
  }
}

/** Whoever leaves last removes the folders: another's cannot be removed, because they are not empty. */
async function leave(server: ControlServer, files: ProjectFiles): Promise<void> {
  await server[Symbol.asyncDispose]();
  for (const folder of new Set([dirname(server.path), files.folder])) removeEmptyFolder(folder);
}

function newRecord(deps: LockDeps, request: ClaimRequest, instance: string, socket: string): LockRecord {
  return {
    schema: 1,
    instance,
    ...deps.here,
    uid: deps.uid ?? null,
    kfwdVersion: deps.version,
    nodeVersion: process.version,
    protocol: PROTOCOL,
    ...request.about,
    socket,
    state: "starting",
    forwards: [],
    stopped: [],
    owners: [],
    relays: [],
    lastWords: null,
  };
}

/** Disposing gives the lock back first, so that nobody finds one without a listener behind it. */
export class Ownership implements AsyncDisposable {
  readonly #deps: OwnershipDeps;
  readonly #files: ProjectFiles;
  readonly #lock: OwnedLock;
  readonly #server: ControlServer;
  #lastHealth = "held/held";

  /** Relay pods that dead owners of the project may have left. */
  readonly leftRelays: readonly LockedRelay[];

  constructor(
    deps: OwnershipDeps,
    files: ProjectFiles,
    acquired: Extract<Acquired, { readonly kind: "owned" }>,
    server: ControlServer,
  ) {
    this.#deps = deps;
    this.#files = files;
    this.#lock = acquired.lock;
    this.leftRelays = acquired.left;
    this.#server = server;
  }

  /** What the lock says. */
  get record(): LockRecord {
    return this.#lock.record;
  }

  /** Changes what the lock says. @throws as {@link OwnedLock.update}. */
  update(patch: LockPatch): Promise<void> {
    return this.#lock.update(patch);
  }

  /** Looks each 15 s; resolves with the reason when the project is ours no more. @throws the signal's reason. */
  async guard(signal: AbortSignal): Promise<string> {
    for (;;) {
      await this.#deps.clock.sleep(CHECK_MS, signal);
      const why = await this.check();
      if (why !== undefined) return why;
    }
  }

  /** Looks now, as after a wake; tells why the project is ours no more, if so. Puts back what was removed. */
  async check(): Promise<string | undefined> {
    const health = await this.#lock.check();
    if (health.kind === "lost") return health.why;
    const listening = await this.#server.check();
    this.#report(`${health.kind}/${listening.kind}`, "why" in health ? health.why : undefined);
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
    await leave(this.#server, this.#files);
  }

  #report(health: string, why: string | undefined): void {
    if (health === this.#lastHealth) return;
    this.#lastHealth = health;
    if (health !== "held/held") this.#deps.log.warn("lock.health", { health, why });
  }
}
