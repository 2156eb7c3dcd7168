/** kftray's JSON: an array of forwards, of which `remote_port` is the port of the pod. */
import { quoted } from "../printable.ts";
import { DraftBuilder, type Draft } from "./draft.ts";
import { bagOf, documentsOf, portOf, portNumberOf, textOf, type Bag } from "./values.ts";

export function looksLikeKftray(documents: readonly Bag[]): boolean {
  return documents.some((item) => "workload_type" in item || ("remote_port" in item && "local_port" in item));
}

export function readKftray(text: string): Draft {
  const builder = new DraftBuilder();
  for (const item of documentsOf(text, builder)) readItem(item, builder);
  return builder.draft;
}

function readItem(item: Bag, builder: DraftBuilder): void {
  const type = textOf(item["workload_type"]) ?? "service";
  const what = nameOf(item);
  if (type === "expose") {
    builder.leaveOut(what, "kfwd exposes nothing of this machine in the cluster");
    return;
  }
  const target = targetOf(type, item);
  if (target === undefined) {
    builder.leaveOut(what, `it does not say what to forward to (workload_type ${type})`);
    return;
  }
  const protocol = (textOf(item["protocol"]) ?? "tcp").toLowerCase();
  if (protocol !== "tcp" && protocol !== "udp") {
    builder.leaveOut(what, `kfwd knows tcp and udp, not ${protocol}`);
    return;
  }
  const local = portNumberOf(item["local_port"]) ?? "auto"; // 0 is any free port
  const port = portOf(item["remote_port"]) ?? (local === "auto" ? undefined : local);
  const remarks: string[] = [];
  if (item["http_logs_enabled"] === true) remarks.push("kfwd does not log HTTP");
  if (item["auto_loopback_address"] === true) remarks.push("kftray would give it an address of its own");
  const isHost = type === "proxy";
  builder.add({
    name: what,
    target,
    context: contextOf(item),
    namespace: textOf(item["namespace"]),
    kubeconfig: kubeconfigOf(item, remarks),
    ...(isHost || typeof target !== "string" || target.startsWith("pod/") ? { port } : { targetPort: port }),
    local,
    bind: bindOf(item),
    protocol: protocol === "udp" ? "udp" : undefined,
    hosts: hostsOf(item, remarks),
    remarks,
  });
}

function nameOf(item: Bag): string {
  return textOf(item["alias"]) ?? textOf(item["service"]) ?? textOf(item["remote_address"]) ?? "forward";
}

function targetOf(type: string, item: Bag): string | { selector: string } | undefined {
  const service = textOf(item["service"]);
  if (type === "pod") {
    const selector = textOf(item["target"]);
    return selector === undefined ? undefined : { selector };
  }
  if (type === "proxy") {
    const address = textOf(item["remote_address"]) ?? service;
    return address === undefined ? undefined : `host/${address}`;
  }
  return type === "service" && service !== undefined ? `svc/${service}` : undefined;
}

/** kftray writes these where nobody chose a context. */
const NO_CONTEXT: readonly (string | undefined)[] = ["current-context", "@current"];

function contextOf(item: Bag): string | undefined {
  const context = textOf(item["context"]);
  return NO_CONTEXT.includes(context) ? undefined : context;
}

function kubeconfigOf(item: Bag, remarks: string[]): string | undefined {
  const path = textOf(item["kubeconfig"]);
  if (path === undefined || path === "default") return undefined;
  if (path.includes(":")) {
    remarks.push(`its kubeconfig was a list, write one path or set KUBECONFIG: ${path}`);
    return undefined;
  }
  return path;
}

function bindOf(item: Bag): readonly string[] | undefined {
  const address = textOf(item["local_address"]);
  return address === undefined || address === "127.0.0.1" ? undefined : [address];
}

function hostsOf(item: Bag, remarks: string[]): readonly string[] | undefined {
  const alias = textOf(item["alias"]);
  const isOn = String(item["domain_enabled"]) === "true";
  if (!isOn || alias === undefined) return undefined;
  if (HOST_NAME.test(alias)) return [alias];
  remarks.push(`its alias cannot be the name of a host: ${quoted(alias)}`);
  return undefined;
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const ENABLED = "kftray.app/enabled";
const CONFIGS = "kftray.app/configs";

/** Services as `kubectl get svc -o yaml` prints them. */
export function looksLikeAnnotatedServices(documents: readonly Bag[]): boolean {
  return documents.some((item) => item["kind"] === "Service" || Array.isArray(item["items"]));
}

/** Services with kftray's annotations: `kftray.app/configs: "alias-8080-http,other-9090-9090"`. */
export function readKftrayServices(text: string): Draft {
  const builder = new DraftBuilder();
  for (const item of documentsOf(text, builder)) {
    const list = item["items"];
    for (const service of Array.isArray(list) ? list : [item]) {
      const bag = bagOf(service);
      if (bag !== undefined) readService(bag, builder);
    }
  }
  return builder.draft;
}

function readService(service: Bag, builder: DraftBuilder): void {
  const metadata = bagOf(service["metadata"]) ?? {};
  const annotations = bagOf(metadata["annotations"]) ?? {};
  const name = textOf(metadata["name"]);
  if (name === undefined || (service["kind"] ?? "Service") !== "Service") return; // items of a list have no kind
  if (String(annotations[ENABLED]) !== "true") return; // kftray leaves it out, too
  const namespace = textOf(metadata["namespace"]);
  const ports = portsOf(service);
  const configs = textOf(annotations[CONFIGS]);
  if (configs === undefined) {
    for (const { port, key } of ports) {
      const local = port;
      builder.add({
        name: ports.length === 1 ? name : `${name}-${key}`,
        target: `svc/${name}`,
        namespace,
        port: key,
        local,
      });
    }
    if (ports.length === 0) builder.leaveOut(name, "the Service has no ports");
    return;
  }
  for (const config of configs.split(",").map((one) => one.trim())) {
    const [, alias, localText, remote] = /^(.+)-(\d+)-([a-z0-9-]+?)$/.exec(config) ?? [];
    const local = portNumberOf(localText);
    const key = portOf(remote);
    if (alias === undefined || local === undefined || key === undefined) {
      builder.leaveOut(`${name}: ${config}`, `${CONFIGS} is alias-localport-targetport`);
      continue;
    }
    const isServicePort = ports.some((one) => one.key === key || one.port === key);
    const port = isServicePort ? { port: key } : { targetPort: key };
    builder.add({ name: alias, target: `svc/${name}`, namespace, ...port, local });
  }
}

function portsOf(service: Bag): readonly { readonly port: number; readonly key: number | string }[] {
  const items: unknown = bagOf(service["spec"])?.["ports"];
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: unknown) => {
    const bag = bagOf(item);
    const port = portNumberOf(bag?.["port"]);
    return port === undefined ? [] : [{ port, key: textOf(bag?.["name"]) ?? port }];
  });
}
