/** Notices that the kubeconfig's current context is another one, for the forwards that follow it. */
import { globMatches } from "../glob.ts";
import { KfwdError } from "../errors.ts";
import { shellWord } from "../shellword.ts";
import type { Note } from "./core/status.ts";
import type { Deps } from "./deps.ts";

/** A look costs no more than asking for the file's times, unless it has changed. */
export const CONTEXT_LOOK_MS = 2_000;

/** What a kubeconfig says must stand for this long: it may be half written, or on its way back. */
export const CONTEXT_SETTLE_MS = 500;

/** A kubeconfig that cannot be followed for so long is worth a word. */
const BROKEN_MS = 5_000;

/** A forward that follows the current context of its kubeconfig. */
export interface ContextFollower {
  readonly name: string;
  readonly kubeconfig: string | undefined;
  /** Contexts that it must not be moved to by itself: globs. */
  readonly protect: readonly string[];
  /** Where it is now. */
  readonly context: string;
}

/** What a {@link ContextWatch} needs of the supervisor. */
export interface ContextWatchDeps extends Pick<Deps, "clock" | "log"> {
  /** The current context. @throws KfwdError while the kubeconfig is broken, gone, or names none. */
  current(kubeconfig: string | undefined): string;
  followers(): readonly ContextFollower[];
  /** Moves the forwards to what is the current context now. @throws KfwdError when they cannot go there. */
  move(names: readonly string[], context: string): void;
}

/** Looks while there are followers. Disposing ends it. */
export class ContextWatch implements Disposable {
  readonly #deps: ContextWatchDeps;
  /** By kubeconfig: another context than before, and since when it is there. */
  readonly #candidates = new Map<
    string | undefined,
    { readonly context: string; readonly sinceMs: number }
  >();
  /** By kubeconfig: since when nobody can tell its current context. */
  readonly #brokenSince = new Map<string | undefined, number>();
  /** What was said last, by forward, so that it is said once. */
  readonly #notes = new Map<string, Note>();
  #timer: Disposable | undefined;
  #stage: "live" | "ended" = "live";

  constructor(deps: ContextWatchDeps) {
    this.#deps = deps;
  }

  /** What has become of forwards since they were started, for `status`. */
  get notes(): readonly Note[] {
    return [...new Map([...this.#notes.values()].map((note) => [note.message, note])).values()];
  }

  /** Other forwards run now, where the user wants them. */
  begin(): void {
    this.#notes.clear();
    this.#candidates.clear();
    this.#brokenSince.clear();
    this.#lookIn(CONTEXT_LOOK_MS);
  }

  /** There may be followers again. */
  resume(): void {
    if (!this.#timer) this.#lookIn(CONTEXT_LOOK_MS);
  }

  /** The machine woke up: what was switched meanwhile is noticed soon. */
  wake(): void {
    if (this.#timer) this.look();
  }

  look(): void {
    const followers = this.#deps.followers();
    for (const name of this.#notes.keys()) {
      if (!followers.some((follower) => follower.name === name)) this.#notes.delete(name);
    }
    let nextMs = CONTEXT_LOOK_MS;
    for (const kubeconfig of new Set(followers.map((follower) => follower.kubeconfig))) {
      const own = followers.filter((follower) => follower.kubeconfig === kubeconfig);
      if (this.#lookAt(kubeconfig, own) === "unsettled") nextMs = CONTEXT_SETTLE_MS;
    }
    this.#lookIn(nextMs);
  }

  [Symbol.dispose](): void {
    this.#stage = "ended";
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #lookIn(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#stage === "ended" || this.#deps.followers().length === 0) return;
    this.#timer = this.#deps.clock.timer(ms, () => this.look());
  }

  #lookAt(kubeconfig: string | undefined, followers: readonly ContextFollower[]): "settled" | "unsettled" {
    let context: string;
    try {
      context = this.#deps.current(kubeconfig);
    } catch (thrown) {
      this.#candidates.delete(kubeconfig);
      this.#cannotTell(kubeconfig, followers, KfwdError.from(thrown));
      return "settled";
    }
    this.#brokenSince.delete(kubeconfig);
    const away = followers.filter((follower) => follower.context !== context);
    for (const { name } of followers) {
      if (!away.some((follower) => follower.name === name)) this.#forgetStay(name);
    }
    if (away.length === 0) {
      this.#candidates.delete(kubeconfig);
      return "settled";
    }
    const nowMs = this.#deps.clock.now();
    const candidate = this.#candidates.get(kubeconfig);
    if (candidate?.context !== context) {
      this.#candidates.set(kubeconfig, { context, sinceMs: nowMs });
      return "unsettled";
    }
    if (nowMs - candidate.sinceMs < CONTEXT_SETTLE_MS) return "unsettled";
    this.#go(context, away);
    return "settled";
  }

  /** Most often it is being written. */
  #cannotTell(
    kubeconfig: string | undefined,
    followers: readonly ContextFollower[],
    { message, hint }: KfwdError,
  ): void {
    const nowMs = this.#deps.clock.now();
    const sinceMs = this.#brokenSince.get(kubeconfig) ?? nowMs;
    this.#brokenSince.set(kubeconfig, sinceMs);
    if (nowMs - sinceMs < BROKEN_MS) return;
    for (const { name, context } of followers) {
      this.#say(name, `${name} stays in context "${context}": ${message}`, hint);
    }
  }

  /** A move that could not be made is of no more interest where the context is that of before again. */
  #forgetStay(name: string): void {
    if (this.#notes.get(name)?.code !== MOVED) this.#notes.delete(name);
  }

  #go(context: string, away: readonly ContextFollower[]): void {
    const free = away.filter((follower) => {
      const glob = follower.protect.find((one) => globMatches(one, context));
      if (glob !== undefined)
        this.#stay(follower, context, `it matches protect "${glob}"`, allowHint(context));
      return glob === undefined;
    });
    for (const from of new Set(free.map((follower) => follower.context))) {
      const movers = free.filter((follower) => follower.context === from);
      const names = movers.map(({ name }) => name);
      try {
        this.#deps.move(names, context);
        this.#deps.log.info("context changed", { from, to: context, forwards: names.join(", ") });
        const message = `the kubeconfig's current context has changed: ${names.join(", ")} moved from "${from}" to "${context}"`;
        for (const name of names) this.#notes.set(name, { code: MOVED, message });
      } catch (thrown) {
        const { message, hint } = KfwdError.from(thrown);
        for (const mover of movers) this.#stay(mover, context, message, hint);
      }
    }
  }

  #stay({ name, context: from }: ContextFollower, to: string, why: string, hint: string | undefined): void {
    this.#say(name, `${name} stays in context "${from}" though "${to}" is the current one: ${why}`, hint);
  }

  #say(name: string, message: string, hint: string | undefined): void {
    if (this.#notes.get(name)?.message === message) return;
    this.#notes.set(name, { code: "ContextKept", message, ...(hint === undefined ? {} : { hint }) });
    this.#deps.log.warn("context kept", { forward: name, reason: message });
  }
}

const MOVED = "ContextMoved";

function allowHint(context: string): string {
  return `kfwd up --allow-context ${shellWord(context)}`;
}
