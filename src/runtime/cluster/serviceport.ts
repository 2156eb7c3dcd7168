/** Which port of a pod a port of a Service means. Pure. */
import type { Reason } from "../core/status.ts";
import type { Cluster } from "../deps.ts";
import { suggest } from "../../suggest.ts";
import type { Service, ServicePort } from "./objects.ts";

/** What the user wrote as the port, if anything. */
export type WantedPort = Parameters<Cluster["follow"]>[0]["remotePort"];

/** The pod's port by number or name, and the Service's port that leads there, if one is asked for; or why there is none. */
export type MappedPort =
  | { readonly port: number | string; readonly of: ServicePort | undefined }
  | { readonly reason: Reason };

/** What the forward speaks. */
type Protocol = "tcp" | "udp";

/** A forward takes no other protocol than its own. */
export function servicePort(service: Service, wanted: WantedPort, protocol: Protocol): MappedPort {
  if (wanted?.via === "pod") return { port: wanted.port, of: undefined };
  if (wanted === undefined) return onlyPort(service, protocol);
  const named = service.ports.filter((p) => p.port === wanted.port || p.name === wanted.port);
  const right = named.find((p) => speaks(p, protocol));
  if (right) return { port: right.targetPort, of: right };
  const [other] = named;
  if (other) return { reason: wrongProtocol(service, other, protocol) };
  const message = `service "${service.name}" has no port ${show(wanted.port)}; ${portList(service)}`;
  return { reason: portMissing(message, portHint(service, wanted.port)) };
}

function speaks(port: ServicePort, protocol: Protocol): boolean {
  return port.protocol === protocol.toUpperCase();
}

function onlyPort(service: Service, protocol: Protocol): MappedPort {
  const [right, another] = service.ports.filter((p) => speaks(p, protocol));
  if (right && !another) return { port: right.targetPort, of: right };
  const [first] = service.ports;
  if (first && !right) return { reason: wrongProtocol(service, first, protocol) };
  const message = another
    ? `service "${service.name}" has ${service.ports.length} ports, so one must be named; ${portList(service)}`
    : `service "${service.name}" has no ports`;
  return {
    reason: portMissing(message, another ? "set `port` of this forward" : "set `targetPort` of this forward"),
  };
}

function wrongProtocol(
  service: Service,
  { name, port, protocol: is }: ServicePort,
  wanted: Protocol,
): Reason {
  const message = `port ${show(name ?? port)} of service "${service.name}" is ${is}, and the forward is ${wanted.toUpperCase()}`;
  const right = is.toLowerCase();
  const hint =
    right === "tcp" || right === "udp"
      ? `set \`protocol: ${right}\` of this forward, or another port`
      : `forward another port: kfwd forwards TCP and UDP`;
  return { code: "PortProtocol", kind: "missing", message, hint };
}

function portMissing(message: string, hint: string | undefined): Reason {
  return { code: "PortMissing", kind: "missing", message, ...(hint === undefined ? {} : { hint }) };
}

/** A near name; or that the number is the pod's, which kubectl users mistake for the Service's. */
function portHint(service: Service, wanted: number | string): string | undefined {
  const behind = service.ports.find((p) => p.targetPort === wanted);
  if (behind)
    return `${show(wanted)} is the port of the pod: set \`port: ${behind.port}\`, or \`targetPort: ${wanted}\``;
  if (typeof wanted === "number") {
    return `set \`port\` to one of these, or \`targetPort: ${wanted}\` if it is the port of the pod`;
  }
  return suggest(
    wanted,
    service.ports.flatMap((p) => p.name ?? []),
  );
}

/** `ports: http 80→8080, metrics 9090, dns 53/udp` */
function portList({ ports }: Service): string {
  if (ports.length === 0) return "it has none";
  const shown = ports.map(({ name, port, targetPort, protocol }) => {
    const target = targetPort === port ? "" : `→${targetPort}`;
    return `${name === undefined ? "" : `${name} `}${port}${target}${protocol === "TCP" ? "" : `/${protocol.toLowerCase()}`}`;
  });
  return `ports: ${shown.join(", ")}`;
}

function show(port: number | string): string {
  return typeof port === "number" ? String(port) : `"${port}"`;
}
