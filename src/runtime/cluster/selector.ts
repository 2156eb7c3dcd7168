/**
 * Label selectors, in kubectl's text form and as workloads carry them. Grammar and meaning: apimachinery
 * `pkg/labels/selector.go`.
 */
import type { Labels, LabelSelector } from "./objects.ts";

/** One condition on labels; a pod must meet all of them. */
export type Requirement =
  | { readonly key: string; readonly is: "in" | "notin"; readonly values: readonly string[] }
  | { readonly key: string; readonly is: "present" | "absent" };

/** `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined by commas. Undefined when it is none of it. */
export function parseSelector(text: string): readonly Requirement[] | undefined {
  const requirements: Requirement[] = [];
  for (const part of text.split(COMMA)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  return requirements;
}

/** Whether the labels meet every requirement. `a!=b` and `a notin (b)` hold where the label `a` is absent. */
export function matches(requirements: readonly Requirement[], labels: Labels): boolean {
  return requirements.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.is) {
      case "present":
        return value !== undefined;
      case "absent":
        return value === undefined;
      case "in":
        return value !== undefined && requirement.values.includes(value);
      case "notin":
        return value === undefined || !requirement.values.includes(value);
    }
  });
}

/** All of these labels, each with this value: the selector of a Service. */
export function requireLabels(labels: Labels): readonly Requirement[] {
  return Object.entries(labels).map(([key, value]) => ({ key, is: "in", values: [value] }));
}

/** The selector of a workload; undefined for an operator this version does not know. */
export function requireSelector(selector: LabelSelector): readonly Requirement[] | undefined {
  const requirements = [...requireLabels(selector.matchLabels)];
  for (const { key, operator, values } of selector.matchExpressions) {
    const is = OPERATORS.get(operator);
    if (is === undefined) return undefined;
    requirements.push(is === "in" || is === "notin" ? { key, is, values } : { key, is });
  }
  return requirements;
}

const OPERATORS = new Map<string, Requirement["is"]>([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "present"],
  ["DoesNotExist", "absent"],
]);

/** A comma that stands in no parentheses. */
const COMMA = /,(?![^(]*\))/;
const SET = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY = /^([^\s=!]+)\s*(==?|!=)\s*(\S*)$/;
const EXISTENCE = /^(!?)\s*(\S+)$/;

function parseRequirement(text: string): Requirement | undefined {
  const [, setKey, set, list = ""] = SET.exec(text) ?? [];
  if (setKey !== undefined && (set === "in" || set === "notin")) {
    if (list.trim() === "") return undefined;
    return requirement({ key: setKey, is: set, values: list.split(",").map((value) => value.trim()) });
  }
  const [, key, operator, value = ""] = EQUALITY.exec(text) ?? [];
  if (key !== undefined) return requirement({ key, is: operator === "!=" ? "notin" : "in", values: [value] });
  const [, not, label] = EXISTENCE.exec(text) ?? [];
  return label === undefined
    ? undefined
    : requirement({ key: label, is: not === "!" ? "absent" : "present" });
}

const KEY = /^(?:[A-Za-z0-9.-]{1,253}\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** The requirement itself when its key and values are ones that labels can have. */
function requirement(read: Requirement): Requirement | undefined {
  const values = "values" in read ? read.values : [];
  return KEY.test(read.key) && values.every((value) => VALUE.test(value)) ? read : undefined;
}
