/** Files of other tools in, a forwards.yaml that is right out. Pure. */
import type { DraftForward, LeftOut } from "./draft.ts";
import { READERS, type Format } from "./formats.ts";
import { readKftrayServices } from "./kftray.ts";
import { forwardName } from "./names.ts";
import { writeForwards, type Heading, type NamedDraft, type Written } from "./yamltext.ts";

export { FORMATS, formatOf, isFormat, type Format } from "./formats.ts";
export type { DraftForward, LeftOut } from "./draft.ts";

/** An error that a checker of forwards.yaml found. */
export interface Complaint {
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** Says what is wrong in the text of a forwards.yaml. */
export type Check = (text: string) => readonly Complaint[];

/** What came out of an import. */
export interface Imported {
  readonly text: string;
  /** How many forwards the text has. */
  readonly forwards: number;
  /** What was not taken over, and what a person should look at, a line each. */
  readonly report: readonly string[];
}

/** Reads a text in this format. */
export function importText(text: string, format: Format, check: Check): Imported {
  const { forwards, leftOut } = READERS[format](text);
  return writeChecked({ about: `Imported from ${format} by kfwd.` }, forwards, leftOut, check);
}

/** What kftray's annotations on Services say. `context`: where they were found, if that was said. */
export function importServices(
  services: readonly unknown[],
  context: string | undefined,
  check: Check,
): Imported {
  const { forwards, leftOut } = readKftrayServices(JSON.stringify({ kind: "List", items: services }));
  const placed = forwards.map((forward) => ({ ...forward, context }));
  return writeChecked({ about: "Imported from kftray's annotations by kfwd." }, placed, leftOut, check);
}

/**
 * Writes what passes the check: of two forwards on one port the later gets any free one, and whatever else may not stand is
 * left out.
 */
export function writeChecked(
  heading: Heading,
  drafts: readonly DraftForward[],
  leftOutBefore: readonly LeftOut[],
  check: Check,
): Imported {
  let forwards = named(drafts);
  const leftOut = [...leftOutBefore];
  const patience = drafts.length * 2 + 1; // each round moves or drops one at least
  for (let round = 0; round < patience && forwards.length > 0; round++) {
    const written = writeForwards(heading, forwards, leftOut);
    const complaints = check(written.text);
    if (complaints.length === 0)
      return { text: written.text, forwards: forwards.length, report: reportOf(forwards, leftOut) };
    forwards = mended(forwards, written, complaints, leftOut);
  }
  return { text: "", forwards: 0, report: reportOf([], leftOut) };
}

function named(drafts: readonly DraftForward[]): readonly NamedDraft[] {
  const taken = new Set<string>();
  return drafts.map((draft) => {
    const name = forwardName(draft.name, taken);
    taken.add(name);
    return { ...draft, name };
  });
}

function mended(
  forwards: readonly NamedDraft[],
  { lines }: Written,
  complaints: readonly Complaint[],
  leftOut: LeftOut[],
): readonly NamedDraft[] {
  const atFault = new Map<number, Complaint>();
  for (const complaint of complaints) {
    const index = lines.findIndex(({ first, last }) => complaint.line >= first && complaint.line <= last);
    // What stands above the forwards is the first one's too: nothing else may be at fault there.
    if (!atFault.has(Math.max(0, index))) atFault.set(Math.max(0, index), complaint);
  }
  return forwards.flatMap((forward, index) => {
    const complaint = atFault.get(index);
    if (complaint === undefined) return [forward];
    if (complaint.code === "DuplicateLocal" && forward.local !== "auto") {
      const remark = `its local port was ${forward.local}, which another forward has`;
      return [{ ...forward, local: "auto" as const, remarks: [...(forward.remarks ?? []), remark] }];
    }
    leftOut.push({ what: forward.name, why: complaint.message.replace(`forward "${forward.name}": `, "") });
    return [];
  });
}

function reportOf(forwards: readonly NamedDraft[], leftOut: readonly LeftOut[]): readonly string[] {
  const remarks = forwards.flatMap(({ name, remarks: said = [] }) =>
    said.map((remark) => `${name}: ${remark}`),
  );
  return [...remarks, ...leftOut.map(({ what, why }) => `left out ${what}: ${why}`)];
}
