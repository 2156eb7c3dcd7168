/** Forwards on their way from merged files to specs. */
import type { OffReason } from "./details.ts";
import type { Fields } from "./field-check.ts";
import type { DefaultsFields, EntryFields } from "./fields.ts";
import { quoted } from "../printable.ts";
import type { PlacedRange } from "./ranges.ts";
import type { Span } from "./source.ts";
import type { ForwardSpec } from "./spec.ts";
import type { Tree, TreeMap } from "./tree.ts";

/** What a command line says in the place of the file's defaults; an entry that names its own keeps it. */
export interface Overrides {
  readonly context?: string;
  readonly namespace?: string;
  /** Absolute path. */
  readonly kubeconfig?: string;
}

/** A forward of the merged files whose fields are right by themselves. */
export interface RawEntry {
  readonly name: string;
  readonly nameAt: Span;
  readonly tree: TreeMap;
  readonly fields: Fields<EntryFields>;
}

/** What all forwards of a project have in common. */
export interface Surroundings {
  readonly defaults: Fields<DefaultsFields>;
  readonly overrides: Overrides;
  readonly portOffset: number;
  /** Values of `local` that an offset does not move, since they were written for this environment or machine. */
  readonly fixed: ReadonlySet<Tree>;
  readonly ranges: readonly PlacedRange[];
  readonly protect: readonly string[];
  /** What `docker` in `bind` stands for; undefined: loopback will do. */
  readonly dockerAddress: string | undefined;
  /** Profiles that are on. */
  readonly profiles: ReadonlySet<string>;
  /** Forwards that were named on the command line. */
  readonly named: ReadonlySet<string>;
}

/** A spec with the places of what it was made of. */
export interface PlacedSpec {
  readonly spec: ForwardSpec;
  readonly entry: RawEntry;
  /** Where its local port was said. */
  readonly localAt: Span;
  /** Where a field was said, in the forward or its defaults. */
  readonly at: (field: string) => Span;
  /** What the files say of `bind`, in which `docker` is a word still. */
  readonly bindWords: readonly string[];
  readonly profiles: readonly string[];
  readonly off: OffReason | undefined;
  readonly range: PlacedRange | undefined;
}

/** `forward "db"`, for messages. */
export function aboutOf({ name }: RawEntry): string {
  return `forward ${quoted(name)}`;
}

/** An own value, or what the defaults say; an own null takes the default back. */
export function inherited<T>(own: T | null | undefined, fallback: T | undefined): T | undefined {
  return own === undefined ? fallback : (own ?? undefined);
}

/** Whether a field says something: it is there, and takes nothing back. */
export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
