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

/** A TCP forward takes no other protocol. */
export function servicePort(service: Service, wanted: WantedPort): MappedPort {
  if (wanted?.via === "pod") return { port: wanted.port, of: undefined };
  if (wanted === undefined) return onlyPort(service);
  const named = service.ports.filter((p) => p.port === wanted.port || p.name === wanted.port);
  const tcp = named.find((p) => p.protocol === "TCP");
  if (tcp) return { port: tcp.targetPort, of: tcp };
  const [other] = named;
  if (other) return { reason: wrongProtocol(service, other) };
  const message = `service "${service.name}" has no port ${show(wanted.port)}; ${portList(service)}`;
  return { reason: portMissing(message, portHint(service, wanted.port)) };
}

function onlyPort(service: Service): MappedPort {
  const [tcp, another] = service.ports.filter((p) => p.protocol === "TCP");
  if (tcp && !another) return { port: tcp.targetPort, of: tcp };
  const [first] = service.ports;
  if (first && !tcp) return { reason: wrongProtocol(service, first) };
  const message = another
    ? `service "${service.name}" has ${service.ports.length} ports, so one must be named; ${portList(service)}`
    : `service "${service.name}" has no ports`;
  return {
    reason: portMissing(message, another ? "set `port` of this forward" : "set `targetPort` of this forward"),
  };
}

function wrongProtocol(service: Service, { name, port, protocol }: ServicePort): Reason {
  const message = `port ${show(name ?? port)} of service "${service.name}" is ${protocol}, and the forward is TCP`;
  const hint = "forward another port: this version forwards TCP alone";
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
