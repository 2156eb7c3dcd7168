/** `port_forwards` of a Tiltfile: 9000, "9000:8000", "host:9200:8000", port_forward(...), or a list of them. */
import { DraftBuilder, type Draft } from "./draft.ts";
import { nameOfPort } from "./portword.ts";
import { readCalls, type Call, type Value } from "./starlark.ts";
import { portNumberOf } from "./values.ts";

export function looksLikeTilt(text: string): boolean {
  return /\b(?:k8s_resource|port_forwards?)\s*[(=]/.test(text);
}

const KIND = "Tilt does not say which kind of workload it is: deploy is a guess";
const ONE_PORT = "Tilt would take the container's first port";

interface TiltPort {
  readonly local: number;
  readonly remote: number | undefined;
  readonly host: string | undefined;
  readonly name: string | undefined;
  readonly path: string | undefined;
}

export function readTilt(text: string): Draft {
  const builder = new DraftBuilder();
  for (const call of readCalls(text, ["k8s_resource"])) readResource(call, builder);
  return builder.draft;
}

function readResource(call: Call, builder: DraftBuilder): void {
  const workload = textOf(call.named.get("workload") ?? call.positional[0]);
  const newName = textOf(call.named.get("new_name"));
  const given = call.named.get("port_forwards") ?? call.positional[2];
  if (given === undefined) return; // a resource without ports is nothing to report
  if (workload === undefined) {
    builder.leaveOut(newName ?? `line ${call.line}`, "it names no workload in plain text");
    return;
  }
  const items = given.kind === "list" ? given.items : [given];
  for (const item of items) {
    const port = portOf(item);
    if (port === undefined) {
      builder.leaveOut(
        `${workload}, line ${call.line}`,
        "it cannot read the port: only Tilt can run the Tiltfile",
      );
      continue;
    }
    const { local, remote = local, host, path } = port;
    builder.add({
      name: nameOfPort(newName ?? workload, port.name ?? remote, items.length === 1),
      target: `deploy/${workload}`,
      port: remote,
      local,
      bind: host === undefined || host === "127.0.0.1" ? undefined : [host],
      url: path === undefined ? undefined : `http://{host}:{port}/${path.replace(/^\//, "")}`,
      remarks: port.remote === undefined ? [KIND, ONE_PORT] : [KIND],
    });
  }
}

function textOf(value: Value | undefined): string | undefined {
  return value?.kind === "text" ? value.text : undefined;
}

function portOf(value: Value): TiltPort | undefined {
  switch (value.kind) {
    case "number":
      return readWord(String(value.number));
    case "text":
      return readWord(value.text);
    case "call":
      return value.call.name === "port_forward" ? readCall(value.call) : undefined;
    case "list":
    case "other":
      return undefined;
  }
}

function readWord(text: string): TiltPort | undefined {
  const parts = text.split(":");
  const remote = portNumberOf(parts.at(-1));
  const local = parts.length === 1 ? remote : portNumberOf(parts.at(-2));
  if (local === undefined || remote === undefined || parts.length > 3) return undefined;
  const host = parts.length === 3 ? parts[0] : undefined;
  return { local, remote: parts.length === 1 ? undefined : remote, host, name: undefined, path: undefined };
}

const FIELDS = ["local_port", "container_port", "name", "link_path", "host"] as const;

function readCall({ named, positional }: Call): TiltPort | undefined {
  const [local, remote, name, path, host] = FIELDS.map((field, at) => named.get(field) ?? positional[at]);
  const number = (value: Value | undefined): number | undefined =>
    value?.kind === "number" ? portNumberOf(value.number) : undefined;
  const localPort = number(local);
  if (localPort === undefined) return undefined;
  return {
    local: localPort,
    remote: number(remote),
    host: textOf(host),
    name: textOf(name),
    path: textOf(path),
  };
}
