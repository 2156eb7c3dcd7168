/** What a supervisor that runs has seen of a file's forwards and that the file could be better for. */
import type { ForwardStatus } from "../runtime/index.ts";
import type { ProjectDetails } from "../schema/details.ts";
import { chosenProject } from "./plan.ts";
import { gainText } from "./render/forward.ts";
import type { FileFlags, World } from "./world.ts";

/** A forward that would gain from `via: relay`, and why. */
export interface Gain {
  readonly name: string;
  readonly message: string;
}

/** Those among the file's forwards that would gain from `via: relay`; none when nothing runs that could tell. */
export async function gainByRelay(
  world: World,
  flags: FileFlags,
  { entries }: Pick<ProjectDetails, "entries">,
): Promise<readonly Gain[]> {
  const direct = new Set(entries.flatMap(({ spec }) => (spec.via === "relay" ? [] : [spec.name])));
  const running = await runningForwards(world, flags).catch(() => []); // what is wrong there is for `status` to tell
  return running.flatMap((forward) => {
    const message = direct.has(forward.name) ? gainText(forward) : "";
    return message === "" ? [] : [{ name: forward.name, message }];
  });
}

async function runningForwards(world: World, flags: FileFlags): Promise<readonly ForwardStatus[]> {
  const signal = new AbortController().signal; // to look and to ask have deadlines of their own
  const { runtime } = world;
  const project = runtime.find(chosenProject(world, flags));
  if (project === undefined) return [];
  const state = await runtime.look(project, signal);
  if (state.kind !== "alive") return [];
  const client = await runtime.connect(project, state.record, signal);
  try {
    return (await client.status()).entries;
  } finally {
    await client[Symbol.asyncDispose]();
  }
}
