/** A draft as the text of a forwards.yaml. */
import { visible } from "../printable.ts";
import type { DraftForward, LeftOut } from "./draft.ts";

/** A forward with a name that may stand. */
export interface NamedDraft extends DraftForward {
  readonly name: string;
}

/** The text, and which lines of it each forward has. */
export interface Written {
  readonly text: string;
  /** Counting from 1, the last one included. */
  readonly lines: readonly { readonly first: number; readonly last: number }[];
}

const MODELINE = "# yaml-language-server: $schema=./node_modules/kfwd/schema/forwards.v1.json";

/** What stands above the forwards. */
export interface Heading {
  /** A line of comment: where it comes from. */
  readonly about: string;
  readonly name?: string | undefined;
}

/** Writes the forwards in their order, and in comments what is not among them. */
export function writeForwards(
  heading: Heading,
  forwards: readonly NamedDraft[],
  leftOut: readonly LeftOut[],
): Written {
  const common = { context: commonOf(forwards, "context"), namespace: commonOf(forwards, "namespace") };
  const lines = [MODELINE, comment(heading.about), "version: 1"];
  if (heading.name !== undefined) lines.push(`name: ${scalar(heading.name)}`);
  for (const [field, value] of Object.entries(common)) {
    if (value !== undefined) lines.push(`${field}: ${scalar(value)}`);
  }
  lines.push("", "forwards:");
  const ranges: { first: number; last: number }[] = [];
  for (const forward of forwards) {
    const first = lines.length + 1;
    lines.push(...linesOf(forward, common));
    ranges.push({ first, last: lines.length });
  }
  if (leftOut.length > 0) lines.push("", "  # Left out:");
  for (const { what, why } of leftOut) lines.push(`  ${comment(`  ${what}: ${why}`)}`);
  return { text: `${lines.join("\n")}\n`, lines: ranges };
}

function commonOf(forwards: readonly NamedDraft[], field: "context" | "namespace"): string | undefined {
  const [first] = forwards;
  const value = first?.[field];
  return forwards.every((forward) => forward[field] === value) ? value : undefined;
}

function linesOf(
  forward: NamedDraft,
  common: { context?: string | undefined; namespace?: string | undefined },
): readonly string[] {
  const remarks = (forward.remarks ?? []).map((remark) => `  ${comment(remark)}`);
  const context = forward.context === common.context ? undefined : forward.context;
  const namespace = forward.namespace === common.namespace ? undefined : forward.namespace;
  const fields = fieldsOf({ ...forward, context, namespace });
  const compact = compactOf(fields);
  if (compact !== undefined) return [...remarks, `  ${forward.name}: ${JSON.stringify(compact)}`];
  const rows = Object.entries(fields).flatMap(([field, value]) =>
    value === undefined ? [] : [`    ${field}: ${valueText(value)}`],
  );
  return [...remarks, `  ${forward.name}:`, ...rows];
}

type FieldValue = string | number | readonly string[] | { readonly selector: string };

interface FieldsOf {
  readonly [field: string]: FieldValue | undefined;
}

/** In the order in which people read them. */
function fieldsOf(forward: NamedDraft): FieldsOf {
  const { port, targetPort, local, bind, hosts } = forward;
  return {
    description: forward.description,
    target: forward.target,
    port,
    targetPort,
    local: local === port ? undefined : local,
    bind: bind?.length === 1 ? bind[0] : bind,
    protocol: forward.protocol,
    context: forward.context,
    namespace: forward.namespace,
    kubeconfig: forward.kubeconfig,
    url: forward.url,
    hosts: hosts?.length === 0 ? undefined : hosts,
  };
}

/** The one line that says the same, where it can; a forward with more fields, or odd words, has no such line. */
function compactOf(fields: FieldsOf): string | undefined {
  const { target, port, local, protocol, namespace, ...others } = fields;
  if (Object.values(others).some((value) => value !== undefined)) return undefined;
  if (typeof target !== "string" || target.startsWith("host/") || port === undefined) return undefined;
  const place = typeof namespace === "string" ? `${namespace}/` : "";
  const from = typeof local === "number" || local === "auto" ? local : port;
  const ending = protocol === undefined ? "" : `/${valueText(protocol)}`;
  const text = `${valueText(from)}:${place}${target}:${valueText(port)}${ending}`;
  return /^(?:\d+|auto):(?:[a-z0-9-]+\/)?[a-z.]+\/[a-z0-9.-]+:[a-z0-9-]+(?:\/udp)?$/.test(text)
    ? text
    : undefined;
}

function valueText(value: FieldValue): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return scalar(value);
  if ("selector" in value) return `{ selector: ${scalar(value.selector)} }`;
  return `[${value.map(scalar).join(", ")}]`;
}

/** Words that YAML readers take for something else than text. */
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i;

/** Text as a value: a dollar sign stands for itself only when it stands twice. */
function scalar(text: string): string {
  const isPlain = /^[A-Za-z][\w./=-]*$/.test(text) && !RESERVED.test(text);
  return isPlain ? text : JSON.stringify(text).replaceAll("$", "$$$$");
}

function comment(text: string): string {
  return `# ${visible(text)}`;
}
