/** Targets outside the cluster: nothing is looked up for them, the relay resolves their name. Pure. */
import type { RemotePort } from "../../schema/spec.ts";
import type { Place, Resolution } from "../deps.ts";

/** What `host/NAME:PORT` means, now and for ever. */
export function hostEndpoint(place: Place, name: string, remotePort: RemotePort | undefined): Resolution {
  const port = remotePort?.port;
  if (typeof port !== "number") {
    const message = `host "${name}" needs its port as a number`;
    return { kind: "none", reason: { code: "PortMissing", kind: "missing", message } };
  }
  const { context, namespace } = place;
  return {
    kind: "found",
    endpoint: { context, namespace, pod: name, podUid: `host ${name}`, podIp: name, port },
  };
}
