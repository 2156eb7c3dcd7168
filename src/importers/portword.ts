/** `8080:80`, `:80`, `80`, `53:53@udp`: how kubectl and those who follow it write ports. */
import { portNumberOf, portOf } from "./values.ts";

/** A local and a remote port. */
export interface PortPair {
  readonly local: number | "auto";
  readonly remote: number | string;
}

/**
 * A pair of kubectl's kind. One word alone is both ports; a name alone has a local port only kubectl could look up.
 * Undefined when it is none.
 */
export function readPortPair(word: string): PortPair | undefined {
  const parts = word.split(":");
  const remote = portOf(parts.at(-1));
  if (remote === undefined || parts.length > 2 || !isPort(remote)) return undefined;
  const [first = ""] = parts;
  if (parts.length === 1) return { local: typeof remote === "number" ? remote : "auto", remote };
  if (first === "" || first === "0") return { local: "auto", remote };
  const local = portNumberOf(first);
  return local === undefined ? undefined : { local, remote };
}

function isPort(port: number | string): boolean {
  return typeof port === "number"
    ? port >= 1 && port <= 65_535
    : /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(port);
}

/** The name of one of several ports of `base`; the first of them keeps the name. */
export function nameOfPort(base: string, remote: number | string, isOnly: boolean): string {
  return isOnly ? base : `${base}-${remote}`;
}
