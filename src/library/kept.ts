/** The forwards of one `up`: what is heard of them, and how this process lets go of them. */
import { KfwdError } from "../errors.ts";
import type {
  Clock,
  ForwardStatus,
  Session,
  SessionEnd,
  StatusReport,
  SupervisorEvent,
} from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { EventOptions, ForwardEvents } from "./api.ts";
import { EventQueue } from "./events.ts";
import { told } from "./told.ts";

/** What is released is stopped at once; to end a supervisor and its relay pods takes a little longer. */
const RELEASE_MS = 10_000;

/** Somebody who cares for these forwards. */
export interface Keeping {
  readonly session: Session;
  readonly specs: readonly ForwardSpec[];
  readonly project: string;
}

/** They are claimed by the session's connection. While nobody waits for anything it does not keep the process alive. */
export class Kept {
  readonly specs: readonly ForwardSpec[];
  readonly project: string;
  readonly #clock: Clock;
  readonly #session: Session;
  readonly #statuses = new Map<string, ForwardStatus>();
  readonly #queues = new Set<EventQueue<string>>();
  readonly #released = new Map<string, Promise<void>>();
  readonly #over = new AbortController();
  #closing: Promise<void> | undefined;
  #holds = 0;

  constructor(clock: Clock, { session, specs, project }: Keeping) {
    this.#clock = clock;
    this.#session = session;
    this.specs = specs;
    this.project = project;
    void session.ended.then((end) => this.#lose(end));
  }

  /** Aborted when it is all over; see {@link Together.$closed}. */
  get closed(): AbortSignal {
    return this.#over.signal;
  }

  /** To be fed all that the session's supervisor tells. */
  take(event: SupervisorEvent): void {
    if (event.type === "forward") this.#tell(event.status);
    else if (event.type === "removed") this.#stopped(event.name);
  }

  statusOf(name: string): ForwardStatus | undefined {
    return this.#statuses.get(name);
  }

  events(options: EventOptions = {}): ForwardEvents {
    const queue = new EventQueue<string>(
      options,
      () => this.hold(),
      (over) => this.#queues.delete(over),
    );
    if (!options.signal?.aborted) this.#queues.add(queue);
    if (this.closed.aborted) queue.end(this.#lostTo);
    return queue;
  }

  /** @throws KfwdError `NOT_RUNNING`, `UNRESPONSIVE`. */
  async report(): Promise<StatusReport> {
    if (this.#closing ?? this.closed.aborted) {
      const closed = `the forwards of project "${this.project}" are closed`;
      throw this.#lostTo ?? told(new KfwdError("NOT_RUNNING", closed));
    }
    const holding = this.hold();
    try {
      return await this.#session.control.status();
    } catch (thrown) {
      throw told(thrown);
    } finally {
      holding[Symbol.dispose]();
    }
  }

  /** From here on nothing but {@link hold} keeps the process alive. */
  settle(): void {
    if (this.#holds === 0) this.#session.hold("idle");
  }

  /** Keeps the process alive for somebody who waits. */
  hold(): Disposable {
    if (this.#holds++ === 0) this.#session.hold("keepsAlive");
    let left: 1 | 0 = 1;
    return {
      [Symbol.dispose]: () => {
        this.#holds -= left;
        left = 0;
        this.settle();
      },
    };
  }

  /** Lets go of one; with the last one of all. Never rejects. */
  release(name: string): Promise<void> {
    const under = this.#released.get(name) ?? this.#closing;
    if (under !== undefined) return under;
    const releasing = this.#release(name);
    this.#released.set(name, releasing);
    return releasing;
  }

  /** Lets go of all and waits for what ends. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.closed.aborted ? Promise.resolve() : this.#close();
    return this.#closing;
  }

  get #lostTo(): KfwdError | undefined {
    const { aborted, reason }: { readonly aborted: boolean; readonly reason: unknown } = this.closed;
    return aborted && reason instanceof KfwdError ? reason : undefined;
  }

  async #release(name: string): Promise<void> {
    const isLast = this.specs.every((spec) => spec.name === name || this.#released.has(spec.name));
    if (isLast) return this.close();
    const holding = this.hold();
    await this.#inTime(this.#session.control.release({ names: [name] }));
    holding[Symbol.dispose]();
    this.#stopped(name);
  }

  async #close(): Promise<void> {
    const holding = this.hold();
    try {
      await this.#inTime(this.#giveUp());
    } finally {
      await this.#session[Symbol.asyncDispose]();
      for (const { name } of this.specs) this.#stopped(name);
      this.#conclude(undefined);
      holding[Symbol.dispose]();
    }
  }

  /** A supervisor without a forward ends, and takes its relay pods with it: nothing of it is left then. */
  async #giveUp(): Promise<void> {
    const { control, ended } = this.#session;
    const release = control.release({ names: null });
    const left = await release
      .then(() => control.status())
      .then(
        ({ entries }) => entries.length,
        () => 0, // it was quicker than its answer
      );
    if (left === 0) await ended;
  }

  /** What goes wrong is of no account: the connection's end releases what it claims, too. */
  async #inTime(work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    const late = this.#clock.sleep(RELEASE_MS, done.signal).catch(() => {});
    await Promise.race([work.catch(() => {}), late]);
    done.abort();
  }

  #lose(end: SessionEnd): void {
    if (this.#closing ?? this.closed.aborted) return;
    const elsewhere = `the forwards of project "${this.project}" were stopped from elsewhere`;
    const error = told(end.kind === "lost" ? end.error : new KfwdError("NOT_RUNNING", elsewhere));
    for (const { name } of this.specs) this.#stopped(name);
    this.#conclude(error);
    void Promise.resolve(this.#session[Symbol.asyncDispose]()).catch(() => {});
  }

  #conclude(error: KfwdError | undefined): void {
    this.#over.abort(error);
    for (const queue of this.#queues) queue.end(error);
  }

  #stopped(name: string): void {
    const last = this.#statuses.get(name);
    if (last && last.state !== "stopped") {
      const since = new Date(this.#clock.wall()).toISOString();
      this.#tell({ ...last, state: "stopped", reason: null, pod: null, podPort: null, retryAt: null, since });
    }
  }

  #tell(status: ForwardStatus): void {
    const { name } = status;
    if (!this.specs.some((spec) => spec.name === name)) return;
    const isLetGo = this.#released.has(name) || this.#closing !== undefined;
    if (isLetGo && status.state !== "stopping" && status.state !== "stopped") return; // somebody else's now
    this.#statuses.set(name, status);
    for (const queue of this.#queues) queue.push({ name, status });
  }
}
