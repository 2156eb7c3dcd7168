/** The ports of a forward: which of the other side, which of this one. */
import { isPodPortName } from "./port.ts";
import type { PortItem } from "./ports.ts";
import { quoted } from "../printable.ts";
import { aboutOf, isGiven, type RawEntry, type Surroundings } from "./rawentry.ts";
import type { Report } from "./report.ts";
import type { Span } from "./source.ts";
import type { RemotePort, Target } from "./spec.ts";
import type { Tree } from "./tree.ts";

/** One port of an entry: what it is called, where it leads, and what is said of the local side. */
export interface Way {
  readonly name: string;
  readonly port: RemotePort | undefined;
  readonly local: number | "auto" | undefined;
  readonly localAt: Span;
  /** The value that an offset may have to leave alone. */
  readonly localTree: Tree | undefined;
  readonly protocol: "tcp" | "udp" | undefined;
}

/** The ports of an entry; none after reporting what is wrong. */
export function waysOf(entry: RawEntry, target: Target, report: Report): readonly Way[] {
  const { values, spans } = entry.fields;
  if (values.ports) return severalWays(entry, values.ports, target, report);
  const remote = remoteOf(entry, target, report);
  if (remote === undefined) return [];
  const localTree = entry.tree.entries.get(!isGiven(values.local) ? remote.field : "local")?.value;
  const localAt = spans.get("local") ?? remote.at;
  const local = values.local ?? undefined;
  return [{ name: entry.name, port: remote.port, local, localAt, localTree, protocol: undefined }];
}

function severalWays(
  entry: RawEntry,
  items: readonly PortItem[],
  target: Target,
  report: Report,
): readonly Way[] {
  const { values, spans } = entry.fields;
  for (const rival of ["port", "targetPort", "local", "url", "env"] as const) {
    const at = spans.get(rival);
    if (!isGiven(values[rival]) || at === undefined) continue;
    const related = { message: "ports is here", span: spans.get("ports") ?? entry.nameAt };
    const message = `${aboutOf(entry)} has both ports and ${rival}`;
    const hint = rival === "url" || rival === "env" ? "write a forward of its own for that port" : undefined;
    report.error({ code: "TwoPorts", message, hint, span: at, related });
    return [];
  }
  const list = entry.tree.entries.get("ports")?.value;
  const isNamed = items.some(({ port }) => typeof port === "string");
  if (!isNamed || target.kind === "svc") reportContainer(entry, target, report);
  const via = target.kind === "svc" ? "service" : "pod";
  return items.map(({ port, local, protocol }, index) => {
    const item = list?.kind === "list" ? list.items[index] : undefined;
    const localAt = item?.span ?? entry.nameAt;
    return { name: `${entry.name}:${port}`, port: { via, port }, local, localAt, localTree: item, protocol };
  });
}

interface Remote {
  readonly port: RemotePort | undefined;
  readonly field: "port" | "targetPort";
  readonly at: Span;
}

/** Which port of the other side is meant; only a Service may leave it open, having perhaps a single one. */
function remoteOf(entry: RawEntry, target: Target, report: Report): Remote | undefined {
  const { values, spans } = entry.fields;
  const about = aboutOf(entry);
  const portAt = spans.get("port") ?? entry.nameAt;
  const targetPortAt = spans.get("targetPort") ?? entry.nameAt;
  if (isGiven(values.port) && isGiven(values.targetPort)) {
    const hint = "port is the port of the Service, targetPort that of the pod: keep one";
    const related = { message: "port is here", span: portAt };
    const message = `${about} has both port and targetPort`;
    report.error({ code: "TwoPorts", message, hint, span: targetPortAt, related });
    return undefined;
  }
  const port = values.port ?? values.targetPort;
  const field = !isGiven(values.port) ? "targetPort" : "port";
  if (!isGiven(port)) {
    if (target.kind === "svc") {
      reportContainer(entry, target, report);
      return { port: undefined, field, at: entry.nameAt };
    }
    const message = `${about} needs a port: only a Service can go without`;
    report.error({ code: "NoPort", message, hint: "port: 8080", span: entry.nameAt });
    return undefined;
  }
  const at = field === "port" ? portAt : targetPortAt;
  const via = target.kind === "svc" && field === "port" ? "service" : "pod";
  if (target.kind === "host" && typeof port === "string") {
    const message = `${about}: the port of a host must be a number, got ${quoted(port)}`;
    report.error({ code: "BadPort", message, hint: "port: 5432", span: at });
    return undefined;
  }
  if (via === "pod" && typeof port === "string" && !isPodPortName(port)) {
    const message = `${about}: no port of a container can be called ${quoted(port)}`;
    const hint = 'the name of a container port has a letter, at most 15 characters and no "--"';
    report.error({ code: "BadPort", message, hint, span: at });
    return undefined;
  }
  if (via === "service" || typeof port === "number") reportContainer(entry, target, report);
  return { port: { via, port }, field, at };
}

/** A container is named where its name decides which port is meant: for a port of the pod that is named itself. */
function reportContainer(entry: RawEntry, target: Target, report: Report): void {
  if (target.kind === "host" || target.container === undefined) return;
  const isService = target.kind === "svc";
  const why = isService
    ? "the Service says which port of the pod is meant"
    : "a number is the same in all containers of a pod";
  const message = `${aboutOf(entry)}: target.container has no meaning here, since ${why}`;
  const hint = isService
    ? "targetPort: NAME, of the container, or leave container out"
    : "port: NAME, of the container, or leave container out";
  report.error({ code: "BadTarget", message, hint, span: entry.fields.spans.get("target") ?? entry.nameAt });
}

/** The local port: the number of the other side unless the entry says otherwise, moved by the offset. */
export function localOf(
  entry: RawEntry,
  way: Way,
  around: Surroundings,
  report: Report,
): number | "auto" | undefined {
  const about = way.name === entry.name ? aboutOf(entry) : `forward ${quoted(way.name)}`;
  const port = way.local ?? way.port?.port;
  if (port === undefined || (typeof port === "string" && port !== way.local)) {
    const why =
      port === undefined ? "it names no port that could serve" : `its port is the name ${quoted(port)}`;
    const message = `${about} needs a local port, since ${why}`;
    const hint = way.name === entry.name ? "local: auto, or a number" : `"8080:${port}", or "auto:${port}"`;
    const span = way.name === entry.name ? entry.nameAt : way.localAt;
    report.error({ code: "NoLocal", message, hint, span });
    return undefined;
  }
  if (typeof port === "string") return "auto";
  const isFixed = way.localTree !== undefined && around.fixed.has(way.localTree);
  const moved = isFixed ? port : port + around.portOffset;
  if (moved <= 65_535) return moved;
  const message = `${about}: local port ${port} and the environment's portOffset ${around.portOffset} are more than 65535`;
  report.error({ code: "BadPort", message, hint: "lower the portOffset", span: way.localAt });
  return undefined;
}
