/** Files to specs: defaults filled in, and the rules that need more than one field. */
import type { Fields } from "./field-check.ts";
import type { DefaultsFields, EntryFields } from "./fields.ts";
import { reportOverlaps, type PlacedSpec } from "./overlap.ts";
import { isPodPortName, UNPRIVILEGED_FIRST } from "./port.ts";
import { quoted } from "../printable.ts";
import type { RawEntry, RawFile } from "./raw.ts";
import type { Report } from "./report.ts";
import { positionAt, type Span } from "./source.ts";
import type { ForwardSpec, ProjectSpec, RemotePort, Target } from "./spec.ts";
import type { PlacedTarget } from "./target.ts";

/** What a command line says in the place of the file's defaults; an entry that names its own keeps it. */
export interface Overrides {
  readonly context?: string;
  readonly namespace?: string;
  /** Absolute path. */
  readonly kubeconfig?: string;
}

/** The project a file describes; of use only if nothing was reported as an error. */
export function mergeFile(file: RawFile, overrides: Overrides, report: Report): ProjectSpec {
  const defaults = { ...file.defaults?.values, ...overrides };
  const placed = file.entries.flatMap((entry) => {
    const spec = entry.fields && specOf(entry, entry.fields, defaults, report);
    return spec ? [spec] : [];
  });
  if (file.defaults !== undefined) reportOverlaps(placed, report);
  const empty = file.entries.filter(({ fields }) => fields === null);
  for (const { name, nameAt } of empty) {
    const message = `forward ${quoted(name)} is empty`;
    const finding = { code: "Empty", message, hint: `${name}: "8080:svc/api:http"`, span: nameAt };
    if (placed.length === 0) report.error(finding);
    else report.warning({ ...finding, message: `${message}: it is left out` });
  }
  if (placed.length === 0 && !report.hasErrors) {
    report.error({ code: "NoForwards", message: "forwards is empty", hint: HINT, span: file.forwardsAt });
  }
  const forwards = placed.map(({ spec }) => spec);
  return file.name === undefined ? { forwards } : { name: file.name, forwards };
}

const HINT = 'forwards: { api: "8080:svc/api:http" }';

function specOf(
  entry: RawEntry,
  fields: Fields<EntryFields>,
  defaults: DefaultsFields,
  report: Report,
): PlacedSpec | undefined {
  const { values } = fields;
  const about = `forward ${quoted(entry.name)}`;
  if (values.target === undefined) {
    const hint = "target: svc/NAME";
    report.error({ code: "NoTarget", message: `${about} has no target`, hint, span: entry.nameAt });
    return undefined;
  }
  const { target } = values.target;
  const remote = remoteOf(entry, fields, target.kind, report);
  const local = remote && localOf(entry, fields, remote, report);
  const placing = placingOf(entry, fields, values.target, defaults, report);
  if (remote === undefined || local === undefined || placing === undefined) return undefined;
  const { source, start } = entry.nameAt;
  const spec: ForwardSpec = {
    name: entry.name,
    ...(values.description !== undefined && { description: values.description }),
    target,
    ...(remote.port && { remotePort: remote.port }),
    protocol: inherited(values.protocol, defaults.protocol) ?? "tcp",
    local: local.port,
    bind: inherited(values.bind, defaults.bind) ?? ["localhost"],
    ...placing,
    required: inherited(values.required, defaults.required) ?? true,
    source: { file: source.name, ...positionAt(source, start) },
  };
  return { spec, localAt: local.at };
}

interface Remote {
  readonly port: RemotePort | undefined;
  readonly at: Span;
}

/** Which port of the other side is meant; only a Service may leave it open, having perhaps a single one. */
function remoteOf(
  entry: RawEntry,
  { values, spans }: Fields<EntryFields>,
  kind: Target["kind"],
  report: Report,
): Remote | undefined {
  const about = `forward ${quoted(entry.name)}`;
  const portAt = spans.get("port") ?? entry.nameAt;
  const targetPortAt = spans.get("targetPort") ?? entry.nameAt;
  if (values.port !== undefined && values.targetPort !== undefined) {
    const hint = "port is the port of the Service, targetPort that of the pod: keep one";
    const related = { message: "port is here", span: portAt };
    report.error({
      code: "TwoPorts",
      message: `${about} has both port and targetPort`,
      hint,
      span: targetPortAt,
      related,
    });
    return undefined;
  }
  const port = values.port ?? values.targetPort;
  if (port === undefined) {
    if (kind === "svc") return { port: undefined, at: entry.nameAt };
    const message = `${about} needs a port: only a Service can go without`;
    report.error({ code: "NoPort", message, hint: "port: 8080", span: entry.nameAt });
    return undefined;
  }
  const at = values.port === undefined ? targetPortAt : portAt;
  const via = kind === "svc" && values.port !== undefined ? "service" : "pod";
  if (via === "pod" && typeof port === "string" && !isPodPortName(port)) {
    const message = `${about}: no port of a container can be called ${quoted(port)}`;
    const hint = 'the name of a container port has at most 15 characters and no "--"';
    report.error({ code: "BadPort", message, hint, span: at });
    return undefined;
  }
  return { port: { via, port }, at };
}

interface Local {
  readonly port: number | "auto";
  readonly at: Span;
}

/** The local port: the number of the other side unless the entry says otherwise. */
function localOf(
  entry: RawEntry,
  { values, spans }: Fields<EntryFields>,
  remote: Remote,
  report: Report,
): Local | undefined {
  const about = `forward ${quoted(entry.name)}`;
  const port = values.local ?? remote.port?.port;
  const at = spans.get("local") ?? remote.at;
  if (port === undefined || (typeof port === "string" && port !== values.local)) {
    const why =
      port === undefined ? "it names no port that could serve" : `its port is the name ${quoted(port)}`;
    const message = `${about} needs a local port, since ${why}`;
    report.error({ code: "NoLocal", message, hint: "local: auto, or a number", span: entry.nameAt });
    return undefined;
  }
  if (typeof port === "string") return { port: "auto", at };
  if (port < UNPRIVILEGED_FIRST) {
    const message = `${about} binds local port ${port}: ports below ${UNPRIVILEGED_FIRST} need root on most systems`;
    report.warning({ code: "PrivilegedPort", message, hint: `local: ${port + 8000}`, span: at });
  }
  return { port, at };
}

interface Placing {
  readonly context?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
}

function placingOf(
  entry: RawEntry,
  { values, spans }: Fields<EntryFields>,
  placed: PlacedTarget,
  defaults: DefaultsFields,
  report: Report,
): Placing | undefined {
  const namespaceAt = spans.get("namespace");
  const isTwice = placed.namespace !== undefined && namespaceAt !== undefined;
  if (isTwice && values.namespace !== placed.namespace) {
    const message = `forward ${quoted(entry.name)} names two namespaces: ${quoted(placed.namespace)} in its target, and this`;
    const related = { message: "target is here", span: spans.get("target") ?? entry.nameAt };
    report.error({ code: "GivenTwice", message, span: namespaceAt, related });
    return undefined;
  }
  const context = inherited(values.context, defaults.context);
  const namespace = placed.namespace ?? inherited(values.namespace, defaults.namespace);
  const kubeconfig = inherited(values.kubeconfig, defaults.kubeconfig);
  return {
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
    ...(kubeconfig !== undefined && { kubeconfig }),
  };
}

/** An own value, or what the defaults say; an own null takes the default back. */
function inherited<T>(own: T | null | undefined, fallback: T | undefined): T | undefined {
  return own === undefined ? fallback : (own ?? undefined);
}
