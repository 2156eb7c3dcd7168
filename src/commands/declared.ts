/** What runs beside what the file declares now. */
import { targetText, type StatusReport } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { loadRequest } from "./plan.ts";
import { localText } from "./render/forward.ts";
import type { NotStarted } from "./render/statustable.ts";
import type { FileFlags, World } from "./world.ts";

/** Nothing is known of the file, and both lists are empty, where it cannot be read or has mistakes. */
export interface FileComparison {
  /** Whether the file is another than the one that was applied. */
  readonly configChanged: boolean;
  /** Forwards of the file that do not run. */
  readonly notStarted: readonly NotStarted[];
  /** Forwards that run, or were stopped, and that the file has not any more. */
  readonly undeclared: readonly string[];
  /** All that the file declares, in its order. */
  readonly order: readonly string[];
}

/** Reads the file that was applied, as far as it can be. */
export async function compareWithFile(
  world: World,
  flags: FileFlags,
  { config, entries }: StatusReport,
): Promise<FileComparison> {
  const configChanged = world.runtime.configChanged(config);
  const nothing = { configChanged, notStarted: [], undeclared: [], order: [] };
  if (config.path === null) return nothing;
  const request = loadRequest(world, flags);
  const files = request.files.length > 0 ? request.files : [config.path];
  try {
    const { config: read, parsed } = await world.runtime.load({ ...request, files });
    if (parsed.kind !== "valid" || read.path !== config.path) return nothing;
    const running = new Set(entries.map(({ name }) => name));
    const order = parsed.details.entries.map(({ spec }) => spec.name);
    const known = new Set(order);
    return {
      configChanged,
      notStarted: parsed.project.forwards.filter(({ name }) => !running.has(name)).map(idle),
      undeclared: [...running].filter((name) => !known.has(name)),
      order,
    };
  } catch {
    return nothing; // `kfwd check` tells what is wrong with it
  }
}

/** The names of all forwards that the file has, of whichever profile; none where it cannot be read. */
export async function declaredNames(world: World, flags: FileFlags): Promise<readonly string[]> {
  try {
    const { parsed } = await world.runtime.load(loadRequest(world, flags));
    return parsed.kind === "valid" ? parsed.details.entries.map(({ spec }) => spec.name) : [];
  } catch {
    return [];
  }
}

function idle({ name, bind, local, protocol, ...spec }: ForwardSpec): NotStarted {
  const localPort = local === "auto" ? null : local;
  return { name, local: localText({ bind, localPort, protocol }), target: targetText(spec) };
}
