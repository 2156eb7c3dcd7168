/** `kfwd attach`: follows the supervisor that runs, until a signal, which leaves it as it is. */
import type { StatusReport } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { hasKeys } from "./keyboard.ts";
import { Output } from "./output.ts";
import { chooseNames, chosenName, chosenProject, loadRequest, type Chosen } from "./plan.ts";
import { Start } from "./start.ts";
import { nothingRuns, running } from "./status.ts";
import { Interrupts, leave, stay } from "./stay.ts";
import type { FileFlags, World } from "./world.ts";

/** Each forward has said how it is long before. */
const FIRST_WORDS_MS = 3_000;

/** 0 left, or stopped from elsewhere. @throws KfwdError `NOT_RUNNING` when nothing runs or it dies, `UNKNOWN_FORWARD`. */
export async function attach(world: World, wanted: readonly string[], flags: FileFlags): Promise<number> {
  const out = new Output(world, flags);
  const { signal } = new AbortController();
  const { runtime } = world;
  const project = runtime.find(chosenProject(world, flags));
  if (project === undefined) throw nothingRuns(chosenName(world, flags));
  const record = running(world, project, await runtime.look(project, signal));
  const session = await runtime.attach(project, record, signal);
  const interrupts = new Interrupts(world);
  try {
    const report = await session.control.status();
    const known = report.entries.map(({ name }) => name);
    const chosen: Chosen = { names: chooseNames(wanted, known), only: wanted.length > 0 };
    const start = new Start(world, out, session, chosen);
    const interrupted = new AbortController();
    const outcome = await start.run(
      { until: "words", withinMs: FIRST_WORDS_MS, strict: false },
      interrupted.signal,
    );
    if (outcome.kind === "ended") return leave(start.reporter, outcome.end, 0);
    const specs = await specsOf(world, flags, report);
    const keys = hasKeys(world, out) ? { specs: () => specs, rereader: undefined } : undefined;
    const { board, reporter } = start;
    return await stay(world, out, session, {
      board,
      reporter,
      chosen,
      drainMs: 0,
      exit: 0,
      interrupts,
      keys,
    });
  } finally {
    await session[Symbol.asyncDispose]();
    interrupts[Symbol.dispose]();
  }
}

/** As far as the file can be read now: only URLs are made of them. */
async function specsOf(
  world: World,
  flags: FileFlags,
  { config }: StatusReport,
): Promise<readonly ForwardSpec[]> {
  if (config.path === null) return [];
  try {
    const request = loadRequest(world, flags);
    const files = request.files.length > 0 ? request.files : [config.path];
    const { parsed } = await world.runtime.load({ ...request, files });
    return parsed.kind === "valid" ? parsed.project.forwards : [];
  } catch {
    return [];
  }
}
