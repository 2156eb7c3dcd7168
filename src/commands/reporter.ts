/** Tells what happens to forwards while a command runs, in the form the user asked for. */
import type { Clock, ForwardStatus, Readiness, SupervisorEvent } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import type { Chosen } from "./plan.ts";
import { plainLine, sentinel, terminalLine } from "./render/progressline.ts";

/** Stages worth a line; the others last for milliseconds. */
const TOLD: ReadonlySet<ForwardStatus["state"]> = new Set(["ready", "waiting", "failed"]);

interface News {
  readonly text: string;
  readonly status: ForwardStatus;
  readonly sinceStartMs: number;
}

/** Says each change of the chosen forwards once: the same state for the same reason is no news. */
export class Reporter {
  readonly #out: Output;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #chosen: Chosen;
  readonly #nameWidth: number;
  readonly #statuses = new Map<string, ForwardStatus>();
  readonly #last = new Map<string, News>();
  #view: "lines" | "drawn" = "lines";
  #lastSentinel = "";

  constructor(out: Output, clock: Clock, chosen: Chosen) {
    this.#out = out;
    this.#clock = clock;
    this.#startedAtMs = clock.now();
    this.#chosen = chosen;
    this.#nameWidth = Math.max(0, ...chosen.names.map((name) => name.length));
  }

  /** While a view draws the forwards itself, lines would tear it. */
  set view(view: "lines" | "drawn") {
    this.#view = view;
  }

  take(event: SupervisorEvent): void {
    if (event.type === "forward") this.#take(event.status);
    if (event.type !== "removed" && event.type !== "halted") return;
    const last = this.#statuses.get(event.name);
    if (event.type === "removed") this.#statuses.delete(event.name);
    if (last) this.#tell("stopped", { ...last, state: "stopped", reason: null, pod: null });
  }

  /** After a view: how each forward stands, for good, in the order of the file. */
  conclude(): void {
    this.#view = "lines";
    for (const news of this.#chosen.names.map((name) => this.#last.get(name))) if (news) this.#say(news);
  }

  plan(changes: readonly { readonly name: string; readonly action: string }[]): void {
    if (this.#out.progress !== "json") return;
    const entries = changes.map(({ name, action }) => ({ entry: name, action }));
    this.#out.json({ schema: "kfwd.up/1", type: "plan", changes: entries });
  }

  /** The fixed last line of a start, said again when it changes. */
  summary(readiness: Readiness, exitCode: number): void {
    const line = sentinel(readiness);
    if (line === this.#lastSentinel) return;
    this.#lastSentinel = line;
    const { ready, total } = readiness;
    if (this.#out.progress === "json")
      this.#out.json({ schema: "kfwd.up/1", type: "summary", ready, total, exitCode });
    else this.#out.note(line);
  }

  /** Somebody else has stopped everything. */
  stopped(): void {
    if (this.#out.progress === "json") this.#out.json({ schema: "kfwd.up/1", type: "stopped" });
    else this.#out.note("the forwards were stopped from elsewhere");
  }

  #take(status: ForwardStatus): void {
    const { name, pod, reason, state } = status;
    if (this.#chosen.only && !this.#chosen.names.includes(name)) return;
    const before = state === "stopped" ? this.#statuses.get(name) : undefined;
    this.#statuses.set(name, before ? { ...status, local: before.local } : status); // the ports that are free now
    if (TOLD.has(state))
      this.#tell(`${state} ${pod ?? ""} ${reason?.code ?? ""} ${reason?.message ?? ""}`, status);
  }

  #tell(text: string, status: ForwardStatus): void {
    if (this.#last.get(status.name)?.text === text) return;
    const news = { text, status, sinceStartMs: this.#clock.now() - this.#startedAtMs };
    this.#last.set(status.name, news);
    if (this.#view === "lines") this.#say(news);
  }

  #say({ status, sinceStartMs }: News): void {
    switch (this.#out.progress) {
      case "json":
        this.#out.json({
          schema: "kfwd.up/1",
          type: "entry",
          entry: status.name,
          state: status.state,
          reason: status.reason,
          local: status.local,
          target: status.targetText,
          pod: status.pod,
          ms: Math.round(sinceStartMs),
        });
        return;
      case "plain":
        this.#out.note(plainLine(status, new Date(this.#clock.wall()).toISOString(), sinceStartMs));
        return;
      case "terminal":
        this.#out.note(terminalLine(status, this.#nameWidth, sinceStartMs, this.#out.notePaint));
        return;
      case "quiet":
    }
  }
}
