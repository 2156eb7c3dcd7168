/** Label selectors in kubectl's syntax: `app=web,tier in (a,b),!old`. */
import { isPlainMap } from "../plain.ts";
import { isSubdomain } from "./kube-name.ts";
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";

const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const VALUE_MAX_CHARS = 63;
const TEXT_MAX_CHARS = 1000;
const HINT = "selector: app=web, or a map of labels";

/** A selector from text that the cluster would understand, or from a map of labels. */
export function readSelector(value: unknown, fail: Fail): string | undefined {
  const text = isPlainMap(value) ? readLabels(value, fail) : value;
  if (text === undefined) return undefined;
  if (typeof text !== "string") {
    const message = `selector must be text or a map of labels, got ${shown(value)}`;
    fail({ code: "BadSelector", message, hint: HINT });
    return undefined;
  }
  if (text.length > TEXT_MAX_CHARS) {
    fail({ code: "BadSelector", message: `selector is longer than ${TEXT_MAX_CHARS} characters` });
    return undefined;
  }
  return checkText(text, fail) ? text : undefined;
}

function checkText(text: string, fail: Fail): boolean {
  let index = 0;
  let good = true;
  for (const requirement of requirementsOf(text)) {
    if (!isRequirement(requirement.trim())) {
      const message = `selector cannot have ${quoted(requirement.trim())}: it must be KEY, !KEY, KEY=VALUE, KEY!=VALUE or KEY in (A,B)`;
      fail({ code: "BadSelector", message, part: { index, length: requirement.length } });
      good = false;
    }
    index += requirement.length + 1;
  }
  return good;
}

/** The parts between commas that stand in no parentheses. */
function requirementsOf(text: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let inSet = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") inSet = true;
    else if (text[at] === ")") inSet = false;
    else if (text[at] === "," && !inSet) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function isRequirement(text: string): boolean {
  const [, setKey, list] = /^(\S+)\s+(?:in|notin)\s*\(([^()]*)\)$/.exec(text) ?? [];
  if (setKey !== undefined && list !== undefined) {
    return (
      isLabelKey(setKey) && list.trim() !== "" && list.split(",").every((one) => isLabelValue(one.trim()))
    );
  }
  const [key = "", value, ...more] = text.split(/!=|==?/);
  if (value === undefined) return isLabelKey(text.replace(/^!\s*/, ""));
  return more.length === 0 && isLabelKey(key.trim()) && isLabelValue(value.trim());
}

function readLabels(labels: object, fail: Fail): string | undefined {
  const pairs: string[] = [];
  const entries = Object.entries(labels);
  for (const [key, value] of entries) {
    if (!isLabelKey(key)) {
      fail({ code: "BadSelector", message: `${quoted(key)} is not a label`, path: [key], atKey: true });
    } else if (typeof value !== "string") {
      const message = `label ${quoted(key)} must be text, got ${shown(value)}`;
      fail({ code: "BadSelector", message, hint: "quote the value", path: [key] });
    } else if (isLabelValue(value)) {
      pairs.push(`${key}=${value}`);
    } else {
      fail({
        code: "BadSelector",
        message: `label ${quoted(key)} cannot have the value ${quoted(value)}`,
        path: [key],
      });
    }
  }
  if (entries.length === 0) fail({ code: "BadSelector", message: "selector is empty", hint: HINT });
  return pairs.length === entries.length && pairs.length > 0 ? pairs.join(",") : undefined;
}

/** `app`, `app.kubernetes.io/name` */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  return name !== "" && isLabelValue(name) && (slash === -1 || isSubdomain(key.slice(0, slash)));
}

/** What Kubernetes takes for the value of a label; empty, too. */
export function isLabelValue(value: string): boolean {
  return value.length <= VALUE_MAX_CHARS && VALUE.test(value);
}
