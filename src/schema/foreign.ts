/** Words that other tools (compose, kubectl, kftray, Tilt, Skaffold) use for what forwards.yaml says otherwise. */

const LOCAL = 'the key is "local"';
const BIND = 'the key is "bind"';
const TARGET_PORT = 'the key is "targetPort"';
const SELECTOR = 'write "target: { selector: app=NAME }"';
const KIND_IN_TARGET = 'the kind is part of the target: "target: deploy/NAME"';
const NAME_IS_KEY = "the name of a forward is its key in the map";
const CONTEXT = 'the key is "context"';
const NAMESPACE = 'the key is "namespace"';
const FORWARDS = 'the key is "forwards"';

const IN_FORWARD: ReadonlyMap<string, string> = new Map([
  ["localport", LOCAL],
  ["hostport", LOCAL],
  ["listen", LOCAL],
  ["published", LOCAL],
  ["localaddress", BIND],
  ["address", BIND],
  ["bindaddress", BIND],
  ["host", BIND],
  ["hostip", BIND],
  ["ip", BIND],
  ["remoteport", TARGET_PORT],
  ["containerport", TARGET_PORT],
  ["podport", TARGET_PORT],
  ["serviceport", 'the key is "port"'],
  ["service", 'write "target: svc/NAME"'],
  ["svc", 'write "target: svc/NAME"'],
  ["deployment", 'write "target: deploy/NAME"'],
  ["deploy", 'write "target: deploy/NAME"'],
  ["statefulset", 'write "target: sts/NAME"'],
  ["pod", 'write "target: pod/NAME"'],
  ["resource", 'write "target: KIND/NAME"'],
  ["resourcename", 'write "target: KIND/NAME"'],
  ["remote", 'write "target: KIND/NAME"'],
  ["kind", KIND_IN_TARGET],
  ["type", KIND_IN_TARGET],
  ["resourcetype", KIND_IN_TARGET],
  ["workloadtype", KIND_IN_TARGET],
  ["selector", SELECTOR],
  ["label", SELECTOR],
  ["labelselector", SELECTOR],
  ["alias", NAME_IS_KEY],
  ["name", NAME_IS_KEY],
  ["ns", NAMESPACE],
  ["cluster", CONTEXT],
  ["kubecontext", CONTEXT],
  ["optional", 'write "required: false"'],
]);

const AT_TOP: ReadonlyMap<string, string> = new Map([
  ["services", FORWARDS],
  ["ports", FORWARDS],
  ["portforward", FORWARDS],
  ["portforwards", FORWARDS],
  ["entries", FORWARDS],
  ["tunnels", FORWARDS],
  ["project", 'the key is "name"'],
  ["projectname", 'the key is "name"'],
  ["ns", NAMESPACE],
  ["cluster", CONTEXT],
  ["kubecontext", CONTEXT],
]);

/** What to write instead of another tool's key, in a forward or at the top of the file. */
export function foreignKey(key: string, where: "forward" | "top"): string | undefined {
  const plain = key.toLowerCase().replaceAll(/[-_]/g, "");
  return (where === "top" ? AT_TOP : IN_FORWARD).get(plain);
}
