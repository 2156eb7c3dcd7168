/** Two texts with the same number of lines as a unified diff. */

const CONTEXT_LINES = 3;

/** Empty when they are the same. */
export function diffText(name: string, before: string, after: string): readonly string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const changed = old.flatMap((line, index) => (line === now[index] ? [] : [index]));
  if (changed.length === 0) return [];
  return [
    `--- a/${name}`,
    `+++ b/${name}`,
    ...hunksOf(changed, old.length).flatMap((hunk) => hunkLines(hunk, old, now)),
  ];
}

/** First and last line, from 0, both included. */
type Hunk = readonly [first: number, last: number];

function hunksOf(changed: readonly number[], count: number): readonly Hunk[] {
  const hunks: Hunk[] = [];
  for (const line of changed) {
    const first = Math.max(0, line - CONTEXT_LINES);
    const last = Math.min(count - 1, line + CONTEXT_LINES);
    const open = hunks.at(-1);
    if (open && first <= open[1] + 1) hunks.splice(-1, 1, [open[0], last]);
    else hunks.push([first, last]);
  }
  return hunks;
}

/** What follows the last line break is no line. */
function hunkLines([first, last]: Hunk, old: readonly string[], now: readonly string[]): readonly string[] {
  const end = last === old.length - 1 && old[last] === "" ? last - 1 : last;
  const lines: string[] = [];
  for (let at = first; at <= end;) {
    const from = at;
    while (at <= end && old[at] !== now[at]) at++;
    lines.push(...marked("-", old, from, at), ...marked("+", now, from, at));
    if (at > from) continue;
    lines.push(...marked(" ", old, at, at + 1));
    at++;
  }
  const range = `${first + 1},${end - first + 1}`;
  return [`@@ -${range} +${range} @@`, ...lines];
}

function marked(sign: string, lines: readonly string[], from: number, to: number): readonly string[] {
  const isCut = to === lines.length && to > from;
  const end = isCut ? ["\\ No newline at end of file"] : [];
  return [...lines.slice(from, to).map((line) => `${sign}${line}`), ...end];
}
