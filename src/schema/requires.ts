/** `requires`: the versions of kfwd that a file is written for. */
import satisfies from "semver/functions/satisfies.js";
import validRange from "semver/ranges/valid.js";
import { quoted } from "../printable.ts";
import type { Report } from "./report.ts";
import { plainOf, spanOfValue, type TreeEntry } from "./tree.ts";

/** Reports a file that is for other versions. `version`: this one; undefined where it does not matter. */
export function reportRequires(
  entry: TreeEntry | undefined,
  version: string | undefined,
  report: Report,
): void {
  const range = entry && plainOf(entry.value);
  if (entry === undefined || typeof range !== "string") return;
  const span = spanOfValue(entry);
  if (range.length > 256 || validRange(range) === null) {
    const message = `requires must be a range of versions like ">=0.2", got ${quoted(range)}`;
    report.error({ code: "BadValue", message, hint: 'requires: ">=0.2"', span });
  } else if (version !== undefined && !satisfies(version, range, { includePrerelease: true })) {
    const message = `this file needs kfwd ${quoted(range)}, this is ${version}`;
    report.error({ code: "OtherVersion", message, hint: `npm install kfwd@${quoted(range)}`, span });
  }
}
