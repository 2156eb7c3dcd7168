/** `kfwd status --watch`: redrawn on a terminal, a line a change elsewhere, until the supervisor ends. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import type { ControlClient, ForwardStatus, Project, SupervisorEvent } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { canDraw } from "./render/drawing.ts";
import { frameOver } from "./render/frame.ts";
import { plainLine } from "./render/progressline.ts";
import { namesMeant } from "./plan.ts";
import { notesOf, tableOf, takeSnapshot, type Snapshot, type StatusFlags } from "./snapshot.ts";
import { INTERRUPTED, type Interrupt, type World } from "./world.ts";

/** What has no event of its own, connections and bytes and that something takes long, is as old as this at most. */
const REDRAW_MS = 1_000;

/** Changes that come close together are drawn once. */
const GATHER_MS = 100;

/** What a watch works with. */
export interface Watched {
  readonly world: World;
  readonly out: Output;
  readonly flags: StatusFlags;
  readonly project: Project;
  readonly client: ControlClient;
}

/** 130 or 143 by a signal. @throws KfwdError `NOT_RUNNING` when the supervisor ends, `UNKNOWN_FORWARD`. */
export async function watchStatus(watched: Watched, wanted: readonly string[]): Promise<number> {
  const { world, out, flags, client, project } = watched;
  const over = new AbortController();
  const came: Interrupt[] = [];
  const listening = world.onInterrupt((signal) => {
    came.push(signal);
    over.abort();
  });
  const end = (): void => over.abort();
  client.closed.addEventListener("abort", end, { once: true });
  try {
    const first = await takeSnapshot(world, flags, await client.status(), wanted); // throws for a name that is not there
    const drawn = canDraw(world.stdout) && world.env["TERM"] !== "dumb" && !flags.json && !flags.names;
    if (!drawn) tellFile(out, flags, first);
    const watch = drawn ? redraw : tellLines;
    await watch(watched, wanted, over);
  } finally {
    client.closed.removeEventListener("abort", end);
    listening[Symbol.dispose]();
  }
  const [signal] = came;
  if (signal !== undefined) return INTERRUPTED[signal];
  if (out.closed) return 0;
  throw new KfwdError("NOT_RUNNING", `the supervisor of project ${project.shownAs} has ended`);
}

async function redraw(
  { world, out, flags, client }: Watched,
  wanted: readonly string[],
  over: AbortController,
): Promise<void> {
  const { clock, stdout } = world;
  let wake: () => void = () => {};
  const following = await client.follow((event) => {
    if (event.type === "ended") over.abort();
    wake();
  });
  let drawnLines = 0;
  try {
    while (!over.signal.aborted && !out.closed) {
      const snapshot = await takeSnapshot(world, flags, await client.status(), wanted);
      const text = [tableOf(world, out, flags, snapshot), ...notesOf(snapshot)].join("\n");
      const frame = frameOver(drawnLines, text, stdout.rows);
      stdout.write(frame.text);
      drawnLines = frame.lines;
      const change = new Promise<void>((resolve) => (wake = resolve));
      const pause = new AbortController();
      const stop = (): void => pause.abort();
      over.signal.addEventListener("abort", stop, { once: true });
      await Promise.race([change, clock.sleep(REDRAW_MS, pause.signal).catch(() => {})]);
      pause.abort();
      over.signal.removeEventListener("abort", stop);
      await clock.sleep(GATHER_MS, over.signal).catch(() => {});
    }
  } catch (thrown) {
    if (!over.signal.aborted) throw thrown; // it ended while we asked
  } finally {
    await following[Symbol.asyncDispose]();
  }
}

/** What has no line of its own, since it does not run or is about to leave. */
function tellFile(out: Output, flags: StatusFlags, { file, ...snapshot }: Snapshot): void {
  const { configChanged, undeclared } = file;
  const notStarted = file.notStarted.map(({ name }) => name);
  if (flags.json) out.json({ schema: "kfwd.watch/1", type: "file", configChanged, notStarted, undeclared });
  if (notStarted.length > 0) out.note(visible(`not started: ${notStarted.join(", ")}`));
  for (const note of notesOf({ ...snapshot, file })) out.note(note);
}

async function tellLines(
  { world, out, flags, client }: Watched,
  wanted: readonly string[],
  over: AbortController,
): Promise<void> {
  const last = new Map<string, string>();
  const underWay = new Set<string>();
  const isNamed = (name: string): boolean =>
    wanted.length === 0 || wanted.some((word) => namesMeant(word, [name]).length > 0);
  const isWanted = ({ name, state }: ForwardStatus): boolean =>
    isNamed(name) && (flags.status === undefined || flags.status.includes(state));
  const tell = (event: SupervisorEvent): void => {
    if (event.type === "ended") {
      if (flags.json) out.json({ schema: "kfwd.watch/1", ...event });
      over.abort();
    } else if (event.type === "removed") {
      last.delete(event.name);
      underWay.delete(event.name);
      if (!isNamed(event.name)) return;
      if (flags.json) out.json({ schema: "kfwd.watch/1", ...event });
    } else if (event.type === "forward") {
      const { status } = event;
      if (mayTakeLong(status)) underWay.add(status.name);
      else underWay.delete(status.name);
      if (isWanted(status) && isNews(last, status)) say(world, out, flags, status);
    }
    if (out.closed) over.abort();
  };
  const following = await client.follow(tell);
  try {
    while (!over.signal.aborted) {
      await world.clock.sleep(REDRAW_MS, over.signal).catch(() => {});
      if (over.signal.aborted || underWay.size === 0) continue;
      for (const status of (await client.status()).entries) tell({ type: "forward", status });
    }
  } catch (thrown) {
    if (!over.signal.aborted) throw thrown; // it ended while we asked
  } finally {
    await following[Symbol.asyncDispose]();
  }
}

/** Whether it may come to have a reason without an event: that it takes long is known only to who asks later. */
function mayTakeLong({ state, reason }: ForwardStatus): boolean {
  return reason === null && (state === "resolving" || state === "connecting");
}

function isNews(last: Map<string, string>, { name, state, pod, reason }: ForwardStatus): boolean {
  const text = `${state} ${pod} ${reason?.code} ${reason?.message}`;
  if (last.get(name) === text) return false;
  last.set(name, text);
  return true;
}

function say({ clock }: World, out: Output, flags: StatusFlags, status: ForwardStatus): void {
  const nowMs = clock.wall();
  if (flags.json) out.json({ schema: "kfwd.watch/1", type: "forward", status });
  else if (flags.names) out.data(status.name);
  else if (!flags.quiet)
    out.data(plainLine(status, new Date(nowMs).toISOString(), nowMs - Date.parse(status.since)));
}
