/** What reading a file again has done, in a line. */
import type { Session } from "../../runtime/index.ts";
import { countText } from "./forward.ts";

type Change = Session["changes"][number];

const WORDS: readonly (readonly [Change["action"], string])[] = [
  ["start", "started"],
  ["replace", "replaced"],
  ["update", "updated"],
  ["remove", "removed"],
];

/** `started web; replaced api, db; 3 forwards unchanged`, or that nothing changed. */
export function changesText(changes: readonly Change[]): string {
  const done = WORDS.flatMap(([action, word]) => {
    const names = changes.filter((change) => change.action === action).map(({ name }) => name);
    return names.length === 0 ? [] : [`${word} ${names.join(", ")}`];
  });
  if (done.length === 0) return "no forward changed";
  const kept = changes.filter(({ action }) => action === "keep").length;
  return [...done, ...(kept === 0 ? [] : [`${countText(kept, "forward")} unchanged`])].join("; ");
}
