/** `relay.patch`: what a team's cluster asks of pods and kfwd has no field for. */
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";
import { isPlainMap } from "../plain.ts";
import type { PatchValue, RelayPatch } from "./spec.ts";

/** By these kfwd finds its pod again, and the pod ends when it should; labels and annotations have fields of their own. */
const OURS: readonly (readonly string[])[] = [
  ["apiVersion"],
  ["kind"],
  ["status"],
  ["metadata", "name"],
  ["metadata", "generateName"],
  ["metadata", "namespace"],
  ["metadata", "uid"],
  ["spec", "restartPolicy"],
  ["spec", "activeDeadlineSeconds"],
];
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["metadata.namespace", "`relay.namespace` says where the pod is"],
  ["spec.activeDeadlineSeconds", "`relay.ttl` says how long the pod lives"],
]);

/** A map as a merge patch has it. */
export function readPatch(value: unknown, fail: Fail): RelayPatch | undefined {
  const patch = patchValue(value);
  if (!isPlainMap(patch)) {
    const hint = "patch: { spec: { priorityClassName: low } }";
    fail({ code: "WrongType", message: `patch must be a map, got ${shown(value)}`, hint });
    return undefined;
  }
  const forbidden = OURS.filter((path) => hasPath(patch, path));
  for (const path of forbidden) {
    const field = path.join(".");
    const hint = INSTEAD.get(field);
    const message = `patch cannot change ${quoted(field)} of the relay pod`;
    fail({ code: "BadValue", message, ...(hint !== undefined && { hint }), path, atKey: true });
  }
  const misfit = misfitOf(patch);
  if (misfit) fail({ code: "WrongType", message: misfit.message, path: misfit.path });
  return forbidden.length > 0 || misfit ? undefined : patch;
}

/** Where the pod's form is one that the patch would break. */
function misfitOf(
  patch: RelayPatch,
): { readonly message: string; readonly path: readonly string[] } | undefined {
  for (const part of ["metadata", "spec"]) {
    const value = patch[part];
    if (value !== undefined && !isPlainMap(value))
      return { message: `${part} of patch must be a map, got ${shown(value)}`, path: [part] };
  }
  const spec = patch["spec"];
  const containers = isPlainMap(spec) ? spec["containers"] : undefined;
  if (containers === undefined) return undefined;
  const isNamed =
    Array.isArray(containers) &&
    containers.every((one) => isPlainMap(one) && typeof one["name"] === "string");
  const message = 'containers of patch must be a list of maps with a name each; the relay\'s is "relay"';
  return isNamed ? undefined : { message, path: ["spec", "containers"] };
}

function hasPath(patch: RelayPatch, path: readonly string[]): boolean {
  let at: PatchValue | undefined = patch;
  for (const step of path) {
    if (!isPlainMap(at) || !Object.hasOwn(at, step)) return false;
    at = at[step];
  }
  return true;
}

/** The value as plain data; undefined for what JSON cannot say. */
function patchValue(value: unknown): PatchValue | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (Array.isArray(value)) return value.map((item) => patchValue(item) ?? null);
  if (!isPlainMap(value)) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, patchValue(one) ?? null]));
}
