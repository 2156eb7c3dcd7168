/** What the files come to, in the words of forwards.yaml: to read, or to be read again by kfwd. */
import { isPlainMap } from "../../plain.ts";
import type { EntryDetails, ProjectDetails, RangeSpec } from "../../schema/details.ts";
import type { ForwardSpec, ProbeSpec, RetrySpec, SourcePosition, Target } from "../../schema/spec.ts";
import { placeText } from "../../schema/diagnostic.ts";
import { visible } from "../../printable.ts";

/** A value of YAML and JSON. */
type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

type Fields = Readonly<Record<string, Value | undefined>>;

/** The forwards by name, as the file could have them. */
export function configFields(
  about: {
    readonly name: string;
    readonly environment: string | undefined;
    readonly protect: readonly string[] | undefined;
  },
  details: ProjectDetails,
): { readonly [key: string]: Value } {
  const on = details.entries.filter(({ off }) => off === undefined);
  return defined({
    name: about.name,
    protect: about.protect,
    ranges: details.ranges.length === 0 ? undefined : Object.fromEntries(details.ranges.map(rangeFields)),
    lint: Object.keys(details.lint).length === 0 ? undefined : details.lint,
    forwards: Object.fromEntries(grouped(on).map((entries) => [keyOf(entries[0]), entryFields(entries)])),
  });
}

function rangeFields({ name, first, last, level, match }: RangeSpec): readonly [string, Value] {
  return [name, defined({ ports: `${first}-${last}`, level, match })];
}

/** A forward, or the forwards of one `ports` list. */
type Entries = readonly [EntryDetails, ...EntryDetails[]];

/** The key in `forwards`: `kafka` of `kafka:registry`. */
function keyOf({ spec }: EntryDetails): string {
  return spec.name.replace(/:.*/s, "");
}

function grouped(entries: readonly EntryDetails[]): readonly Entries[] {
  const groups = new Map<string, [EntryDetails, ...EntryDetails[]]>();
  for (const entry of entries) {
    const group = groups.get(keyOf(entry));
    if (group === undefined) groups.set(keyOf(entry), [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

/** What an item of `ports` says in its own words. */
const OF_ONE_PORT: ReadonlySet<string> = new Set(["port", "targetPort", "local", "protocol"]);

function entryFields(entries: Entries): { readonly [key: string]: Value } {
  const [first] = entries;
  if (!first.spec.name.includes(":")) return forwardFields(first);
  const { target = "", ...fields } = forwardFields(first);
  const shared = Object.entries(fields).filter(([field]) => !OF_ONE_PORT.has(field));
  const ports = entries.map(({ spec }) => `${spec.local}:${spec.remotePort?.port ?? ""}/${spec.protocol}`);
  return { target, ports, ...Object.fromEntries(shared) };
}

function forwardFields({ spec, range }: EntryDetails): { readonly [key: string]: Value } {
  const isOfPod = spec.remotePort?.via === "pod" && spec.target.kind === "svc";
  return defined({
    description: spec.description,
    target: targetValue(spec.target),
    [isOfPod ? "targetPort" : "port"]: spec.remotePort?.port,
    local: spec.local,
    range: spec.localRange === undefined ? undefined : range,
    bind: spec.bind.length === 1 ? spec.bind[0] : spec.bind,
    protocol: spec.protocol,
    context: spec.context,
    namespace: spec.namespace,
    kubeconfig: spec.kubeconfig,
    required: spec.required,
    via: spec.via,
    followContext: spec.followContext,
    whenUnavailable: spec.whenUnavailable,
    hold: spec.holdMs === undefined ? undefined : durationOf(spec.holdMs),
    ttl: spec.ttlMs === undefined ? undefined : durationOf(spec.ttlMs),
    retry: spec.retry && retryFields(spec.retry),
    probe: spec.probe && probeFields(spec.probe),
    pick: spec.pick,
    url: spec.url,
    env: spec.env,
    hosts: spec.hosts,
    labels: spec.labels,
    relay: relayFields(spec),
  });
}

function targetValue(target: Target): Value {
  if (target.kind === "host" || target.container === undefined)
    return target.kind === "selector" ? { selector: target.selector } : `${target.kind}/${target.name}`;
  const { container } = target;
  if (target.kind === "selector") return { selector: target.selector, container };
  return { kind: target.kind, name: target.name, container };
}

function retryFields({ initialMs, maxMs, resetAfterMs }: RetrySpec): Value {
  return { initial: durationOf(initialMs), max: durationOf(maxMs), resetAfter: durationOf(resetAfterMs) };
}

function probeFields({ type, path, status, intervalMs, timeoutMs, failures }: ProbeSpec): Value {
  return defined({
    type,
    path: type === "http" ? path : undefined,
    status: type === "http" ? status.join("-") : undefined,
    interval: durationOf(intervalMs),
    timeout: durationOf(timeoutMs),
    failures,
  });
}

function relayFields({ relay }: ForwardSpec): Value | undefined {
  if (relay === undefined) return undefined;
  const { ttlMs, idleMs, ...rest } = relay;
  return defined({
    ...rest,
    ttl: ttlMs === undefined ? undefined : durationOf(ttlMs),
    idle: idleMs === undefined ? undefined : durationOf(idleMs),
  });
}

/** `1500ms`, `90s`: what is exact in the fewest letters. */
function durationOf(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function defined(fields: Fields): { readonly [key: string]: Value } {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
  );
}

/** The fields as YAML; with `details` each line says where its value comes from. */
export function configYaml(
  fields: { readonly [key: string]: Value },
  details: ProjectDetails | undefined,
): string {
  const lines: { readonly text: string; readonly origin: string | undefined }[] = [];
  const add = (
    indent: number,
    key: string,
    value: Value,
    origin: (path: string) => string | undefined,
    path: string,
  ): void => {
    const start = `${"  ".repeat(indent)}${keyText(key)}:`;
    if (isPlainMap(value) && Object.keys(value).length > 0) {
      lines.push({ text: start, origin: undefined });
      for (const [inner, one] of Object.entries(value))
        add(indent + 1, inner, one, origin, path === "" ? inner : `${path}.${inner}`);
    } else {
      lines.push({ text: `${start} ${inline(value)}`, origin: origin(path) });
    }
  };
  for (const [key, value] of Object.entries(fields)) {
    if (key !== "forwards" || !isPlainMap(value)) {
      add(0, key, value, () => undefined, "");
      continue;
    }
    lines.push({ text: "forwards:", origin: undefined });
    for (const [name, forward] of Object.entries(value)) {
      const origins = details?.entries.find(
        (entry) => entry.off === undefined && keyOf(entry) === name,
      )?.origins;
      add(1, name, forward, (path) => origins && originText(origins, path), "");
    }
  }
  const width = Math.max(...lines.map(({ text, origin }) => (origin === undefined ? 0 : text.length)));
  return lines
    .map(({ text, origin }) => (origin === undefined ? text : `${text.padEnd(width)}  # ${origin}`))
    .join("\n");
}

/** The place of the value or of what it stands in; what nobody said is a default. */
function originText(origins: Readonly<Record<string, SourcePosition>>, path: string): string {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const place = origins[at];
    const holdsOthers = at !== path && Object.keys(origins).some((other) => other.startsWith(`${at}.`));
    if (place !== undefined) return holdsOthers ? "default" : placeText(place);
  }
  return "default";
}

function inline(value: Value): string {
  if (typeof value === "string") return scalar(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (isPlainMap(value)) {
    const pairs = Object.entries(value).map(([key, one]) => `${keyText(key)}: ${inline(one)}`);
    return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
  }
  return `[${value.map(inline).join(", ")}]`;
}

function keyText(key: string): string {
  return /^[A-Za-z_][\w.-]*$/.test(key) && !RESERVED.test(key) ? key : JSON.stringify(key);
}

const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i;

/** What was filled in already is not to be filled in again: a dollar sign stands twice. */
function scalar(text: string): string {
  const isPlain = /^(?:[A-Za-z][\w./=-]*|\d+m?s)$/.test(text) && !RESERVED.test(text);
  return isPlain ? text : visible(JSON.stringify(text)).replaceAll("$", "$$$$");
}
