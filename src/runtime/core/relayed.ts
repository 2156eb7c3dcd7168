/** Which forwards take the relay. */
import type { ForwardSpec } from "../../schema/spec.ts";

/** UDP and what is outside the cluster cannot be reached without; the rest says so. */
export function isRelayed({
  protocol,
  target,
  via,
}: Pick<ForwardSpec, "protocol" | "target" | "via">): boolean {
  return protocol === "udp" || target.kind === "host" || via === "relay";
}
