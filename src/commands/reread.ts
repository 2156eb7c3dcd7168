/** Reads the files again when they change, and makes the forwards what they say then. */
import { KfwdError } from "../errors.ts";
import type { FileWatch, Session, UpPlan } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { Output } from "./output.ts";
import type { Chosen } from "./plan.ts";
import { changesText } from "./render/changes.ts";
import type { Reporter } from "./reporter.ts";
import { touched, type TouchFlags } from "./touched.ts";
import { markOf, readingOf, readWanted, type Reading, type Wanted, type WantedFlags } from "./wanted.ts";
import type { World } from "./world.ts";

/** What it takes to read again what was read before. */
export interface RereadDeps {
  readonly world: World;
  readonly out: Output;
  readonly flags: WantedFlags & TouchFlags;
  /** The names of the command line. */
  readonly names: readonly string[];
  readonly session: Session;
  readonly reporter: Reporter;
  /** What the first reading came to. */
  readonly first: Wanted;
}

/** Off until it is switched on. One reading at a time; changes that come meanwhile are read after it, once. */
export class Rereader implements Disposable {
  readonly #deps: RereadDeps;
  readonly #flags: WantedFlags & TouchFlags;
  #specs: readonly ForwardSpec[];
  #chosen: Chosen;
  #mark: string;
  #paths: readonly string[] = [];
  #watch: FileWatch | undefined;
  #stage: "idle" | "reading" | "reading, and again" = "idle";

  constructor(deps: RereadDeps) {
    this.#deps = deps;
    const { environment, forwards, read } = deps.first.plan;
    this.#specs = forwards;
    this.#chosen = deps.first.chosen;
    this.#mark = markOf(read);
    // `--trust` and `--force-recreate` were for the files as they were; another environment has a supervisor of its own.
    const once = { trust: false, forceRecreate: false, reread: true };
    this.#flags = { ...deps.flags, ...once, ...(environment !== undefined && { env: environment }) };
  }

  /** Whether the files are watched. */
  get isOn(): boolean {
    return this.#watch !== undefined;
  }

  /** The forwards as the files last had them when they were right. */
  get specs(): readonly ForwardSpec[] {
    return this.#specs;
  }

  /** Reads them again at once if they have changed since they were read. */
  async start(): Promise<void> {
    if (this.#watch !== undefined) return;
    const { runtime } = this.#deps.world;
    this.#watch = runtime.watchFiles(() => void this.#changed());
    await this.#changed();
  }

  /** What is being read comes to nothing, unless the supervisor has been told of it already. */
  stop(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  async #changed(): Promise<void> {
    if (this.#stage !== "idle") {
      this.#stage = "reading, and again";
      return;
    }
    do {
      this.#stage = "reading";
      const watch = this.#watch;
      await this.#readAgain(watch).catch((thrown: unknown) => {
        if (this.#watch === watch) this.#refuse(thrown);
      });
    } while (this.#hasMore());
    this.#stage = "idle";
  }

  #hasMore(): boolean {
    return this.#stage === "reading, and again" && this.isOn;
  }

  /** `watch`: where it is another meanwhile, this reading has been switched off. */
  async #readAgain(watch: FileWatch | undefined): Promise<void> {
    const { world, out, names, first, session, reporter } = this.#deps;
    const { mark } = await this.#read();
    if (mark === this.#mark || this.#watch !== watch) return;
    const before = this.#chosen.only ? this.#chosen.names : [];
    const reading = readWanted(world, this.#flags, names, out, before);
    await Promise.allSettled([reading]);
    if (this.#watch !== watch) return;
    this.#mark = mark; // wrong files, too, are told of once
    const wanted = await reading;
    if (wanted === undefined) return out.note(UNCHANGED);
    const { plan, chosen } = wanted;
    refuseMove(first.plan, plan);
    const request = world.runtime.applyRequest(plan, touched(chosen, this.#flags));
    const owner = session.kind === "claimed" ? "client" : "project";
    const { changes } = await session.control.apply({ ...request, owner });
    this.#specs = plan.forwards;
    this.#chosen = chosen;
    reporter.plan(changes);
    out.note(`${plan.config.shownAs} was read again: ${changesText(changes)}`);
  }

  /** Watches before it reads: what changes while it does is seen then. */
  async #read(): Promise<Reading> {
    const { world, first } = this.#deps;
    for (let tries = 1; ; tries++) {
      this.#watch?.watch(this.#paths);
      const reading = await readingOf(world, this.#flags, first.plan.config);
      const isKnown = reading.paths.every((path) => this.#paths.includes(path));
      this.#paths = reading.paths;
      if (isKnown || tries === TRIES_MAX) return reading;
    }
  }

  #refuse(thrown: unknown): void {
    const { out } = this.#deps;
    out.error(thrown);
    out.note(UNCHANGED);
  }
}

/** Each reading may name files that the one before did not. */
const TRIES_MAX = 10;

const UNCHANGED = "the forwards stay as they were";

/** @throws KfwdError `USAGE`. */
function refuseMove(first: UpPlan, plan: UpPlan): void {
  if (plan.environment === first.environment && plan.config.path === first.config.path) return;
  const message = `the files now say project ${plan.project}; this \`up\` keeps ${first.project}`;
  throw new KfwdError("USAGE", message, { hint: "Ctrl-C, then kfwd up" });
}
