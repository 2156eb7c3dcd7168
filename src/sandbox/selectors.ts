/** Label and field selectors of list and watch requests. */
import type { KubeObject, Labels } from "./objects.ts";

/** Whether an object is selected. */
export type Selection = (object: KubeObject) => boolean;

/** A selector that cannot be read; `message` says what is wrong with it. */
export interface SelectorProblem {
  readonly message: string;
}

/** Reads `labelSelector` and `fieldSelector`; an empty or missing one selects everything. */
export function parseSelection(query: URLSearchParams): Selection | SelectorProblem {
  const tests: Selection[] = [];
  for (const text of splitTerms(query.get("labelSelector") ?? "")) {
    const test = labelTest(text);
    if (test === undefined) return { message: `unable to parse requirement: "${text}"` };
    tests.push(({ metadata }) => test(metadata.labels ?? {}));
  }
  for (const text of splitTerms(query.get("fieldSelector") ?? "")) {
    const [, field = "", operator = "", value = ""] = /^([^=!]+)(==?|!=)(.*)$/.exec(text) ?? [];
    const read = FIELDS.get(field);
    if (read === undefined) return { message: `field label not supported: ${field || text}` };
    tests.push((object) => (read(object) === value) === (operator !== "!="));
  }
  return (object) => tests.every((test) => test(object));
}

const FIELDS = new Map<string, (object: KubeObject) => string>([
  ["metadata.name", ({ metadata }) => metadata.name],
  ["metadata.namespace", ({ metadata }) => metadata.namespace ?? ""],
  ["status.phase", (object) => (object.kind === "Pod" ? object.status.phase : "")],
]);

/** Splits at commas outside parentheses. */
function splitTerms(selector: string): string[] {
  const terms = selector.split(/,(?![^()]*\))/).map((term) => term.trim());
  return terms.filter((term) => term !== "");
}

function labelTest(term: string): ((labels: Labels) => boolean) | undefined {
  const set = /^([^\s!=(),]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (labels) => values.includes(labels[key] ?? "\0") === (operator === "in");
  }
  const equality = /^([^\s!=(),]+)\s*(==?|!=)\s*([^\s!=(),]*)$/.exec(term);
  if (equality) {
    const [, key = "", operator, value] = equality;
    return (labels) => (labels[key] === value) === (operator !== "!=");
  }
  const existence = /^(!?)\s*([^\s!=(),]+)$/.exec(term);
  if (existence === null) return undefined;
  const [, not, key = ""] = existence;
  return (labels) => Object.hasOwn(labels, key) === (not === "");
}
