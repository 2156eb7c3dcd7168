/** Which local port a forward has: from the file where it says so, else from the supervisor. */
import { KfwdError } from "../errors.ts";
import { quoted } from "../printable.ts";
import type { ForwardStatus, StatusReport } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { shellWord } from "../shellword.ts";
import type { Located } from "../schema/exports.ts";
import { chosenProject } from "./plan.ts";
import { nothingRuns, running } from "./status.ts";
import type { SharedFlags, World } from "./world.ts";

/** The forwards with the ports that the file gives them; one with `local: auto` has what it got from the supervisor. */
export async function locate(
  world: World,
  forwards: readonly ForwardSpec[],
  flags: SharedFlags,
): Promise<readonly Located[]> {
  const anyAuto = forwards.find(({ local }) => local === "auto");
  const statuses = anyAuto === undefined ? undefined : await statusesOf(world, flags, anyAuto.name);
  return forwards.map((spec) => {
    const status = statuses?.get(spec.name);
    const port = spec.local === "auto" ? status?.localPort : spec.local;
    if (typeof port !== "number") throw noPort(spec.name, status);
    return { spec, port };
  });
}

/** The ports of what runs. @throws KfwdError `NOT_RUNNING`, `UNKNOWN_FORWARD`. */
export async function locateRunning(
  world: World,
  forwards: readonly ForwardSpec[],
  flags: SharedFlags,
): Promise<readonly Located[]> {
  const statuses = await statusesOf(world, flags, undefined);
  return forwards.map((spec) => {
    const status = statuses.get(spec.name);
    const port = status?.state === "stopped" ? null : status?.localPort;
    if (typeof port !== "number") throw noPort(spec.name, status);
    return { spec, port };
  });
}

/** The ports of the file alone. @throws KfwdError `NOT_RUNNING` for `auto`. */
export function locateStatic(forwards: readonly ForwardSpec[]): readonly Located[] {
  return forwards.map((spec) => {
    if (spec.local !== "auto") return { spec, port: spec.local };
    throw new KfwdError(
      "NOT_RUNNING",
      `forward ${quoted(spec.name)} has no port in the file: local is auto`,
      {
        hint: "leave --static out, once `kfwd up` has run",
        place: spec.source,
      },
    );
  });
}

function noPort(name: string, status: ForwardStatus | undefined): KfwdError {
  if (status?.state === "stopped") {
    const hint = `kfwd start ${shellWord(name)}`;
    return new KfwdError("NOT_RUNNING", `forward ${quoted(name)} is stopped`, { hint });
  }
  return new KfwdError("NOT_RUNNING", `forward ${quoted(name)} has no local port yet`, {
    hint: `kfwd up -d ${name}`,
  });
}

async function statusesOf(
  world: World,
  flags: SharedFlags,
  auto: string | undefined,
): Promise<ReadonlyMap<string, ForwardStatus>> {
  try {
    const { entries } = await liveStatus(world, flags);
    return new Map(entries.map((status) => [status.name, status]));
  } catch (thrown) {
    const error = KfwdError.from(thrown);
    if (auto === undefined || error.code !== "NOT_RUNNING") throw thrown;
    const message = `${error.message}, and forward ${quoted(auto)} gets its local port (auto) only when it runs`;
    throw new KfwdError("NOT_RUNNING", message, { hint: "kfwd up -d", cause: thrown });
  }
}

/** What the supervisor of the project says. @throws KfwdError of exit status 3 where none answers. */
async function liveStatus(world: World, flags: SharedFlags): Promise<StatusReport> {
  const { signal } = new AbortController();
  const choice = chosenProject(world, flags);
  const project = world.runtime.find(choice);
  if (project === undefined) throw nothingRuns(choice.name);
  const record = running(world, project, await world.runtime.look(project, signal));
  const client = await world.runtime.connect(project, record, signal);
  try {
    return await client.status();
  } finally {
    await client[Symbol.asyncDispose]();
  }
}
