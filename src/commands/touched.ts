/** Which forwards an `up` touches, and how, as its flags say. */
import type { UpManner } from "../runtime/index.ts";
import type { Chosen } from "./plan.ts";

/** Flags that say what becomes of forwards that run. */
export interface TouchFlags {
  readonly keepOrphans?: boolean;
  readonly forceRecreate?: boolean;
  /** False after `--no-recreate`. */
  readonly recreate?: boolean;
}

/** With `--keep-orphans` all forwards of the file are named, so that nothing else is touched. */
export function touched(
  { names, only, gone = [] }: Chosen,
  { keepOrphans, forceRecreate, recreate }: TouchFlags,
): Pick<UpManner, "names" | "recreate"> {
  return {
    names: keepOrphans === true ? names : only ? [...names, ...gone] : null,
    ...(forceRecreate === true && { recreate: "all" }),
    ...(recreate === false && { recreate: "none" }),
  };
}
