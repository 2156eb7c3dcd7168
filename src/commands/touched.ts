/** Which forwards an `up` touches, and how, as its flags say. */
import type { Touch } from "../runtime/index.ts";
import type { Chosen } from "./plan.ts";

/** Flags that say what becomes of forwards that run. */
export interface TouchFlags {
  readonly keepOrphans?: boolean;
  readonly forceRecreate?: boolean;
  /** False after `--no-recreate`. */
  readonly recreate?: boolean;
  /** Only the files have changed; `up` has it of a supervisor, and the names are then of forwards that it keeps. */
  readonly reread?: boolean;
}

export function touched(
  { names, only, gone = [] }: Chosen,
  { keepOrphans, forceRecreate, recreate, reread }: TouchFlags,
): Touch {
  return {
    names: only ? [...names, ...gone] : null,
    ...(keepOrphans === true && { orphans: "keep" }),
    ...(forceRecreate === true && { recreate: "all" }),
    ...(recreate === false && { recreate: "none" }),
    ...(reread === true && { occasion: "reread" }),
  };
}

/** The flags that say the same of files that are read again. */
export function touchArgs({ keepOrphans, recreate }: TouchFlags): readonly string[] {
  return [
    ...(keepOrphans === true ? ["--keep-orphans"] : []),
    ...(recreate === false ? ["--no-recreate"] : []),
  ];
}
