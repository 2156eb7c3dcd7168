/** `kfwd check --cluster`: what the clusters say to each forward. */
import type { Examined } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { World } from "./world.ts";

/** Reasons that are about the way to the cluster, not about what is in it. */
const ACCESS: ReadonlySet<string> = new Set(["denied", "unreachable", "protocol"]);

export async function examineAll(
  world: World,
  forwards: readonly ForwardSpec[],
  signal: AbortSignal,
): Promise<readonly Examined[]> {
  const survey = await world.runtime.survey();
  try {
    return await Promise.all(forwards.map((forward) => survey.examine(forward, signal)));
  } finally {
    await survey[Symbol.asyncDispose]();
  }
}

/** 4 when a cluster cannot be reached or refuses, 1 when it lacks what a required forward names, else 0. */
export function exitOf(examined: readonly Examined[], forwards: readonly ForwardSpec[]): number {
  const required = new Set(forwards.flatMap((spec) => (spec.required ? [spec.name] : [])));
  const failing = examined.filter(({ name, reason }) => reason !== null && required.has(name));
  const isAccess = failing.some(({ place, reason }) => place === null || ACCESS.has(reason?.kind ?? ""));
  if (isAccess) return 4;
  return failing.length === 0 ? 0 : 1;
}

/** A forward's answer as JSON has it. */
export function examinedRecord({ name, place, endpoint, lacking, reason }: Examined): object {
  return {
    name,
    ok: reason === null,
    context: place?.context ?? null,
    namespace: place?.namespace ?? null,
    pod: endpoint?.pod ?? null,
    podPort: endpoint?.port ?? null,
    lacking,
    reason: reason && {
      code: reason.code,
      message: reason.message,
      ...(reason.hint && { hint: reason.hint }),
    },
  };
}
