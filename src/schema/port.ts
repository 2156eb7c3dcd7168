/** Port numbers and names, of the cluster and of this machine. */
import { LABEL } from "./kube-name.ts";
import { shown } from "../printable.ts";
import type { Fail } from "./problem.ts";

const PORT_MAX = 65535;
const DIGITS = /^[0-9]{1,10}$/;
const HAS_LETTER = /[a-z]/;
/** A Service's port may be called `80-8080`, as `kubectl create service` does; digits alone are a number. */
const IS_NAME = /[a-z-]/;

/** Longest name of a container's port; a Service's port may have 63 characters. */
const POD_PORT_NAME_MAX_CHARS = 15;

/** Ports below it need rights on most systems. */
export const UNPRIVILEGED_FIRST = 1024;

/** A port on the cluster's side: 1 to 65535 (digits in quotes too), or the name of a port. */
export function readPort(value: unknown, field: string, fail: Fail): number | string | undefined {
  const port = typeof value === "string" && DIGITS.test(value) ? Number(value) : value;
  if (isPortNumber(port)) return port;
  if (typeof port === "string" && LABEL.test(port) && IS_NAME.test(port)) return port;
  fail({ code: "BadPort", message: `${field} must be 1-65535 or the name of a port, got ${shown(value)}` });
  return undefined;
}

/** A port on this machine: 1 to 65535 (digits in quotes too), or `auto`. */
export function readLocal(value: unknown, fail: Fail): number | "auto" | undefined {
  if (value === "auto") return value;
  const port = typeof value === "string" && DIGITS.test(value) ? Number(value) : value;
  if (isPortNumber(port)) return port;
  const problem = { code: "BadPort", message: `local must be 1-65535 or "auto", got ${shown(value)}` };
  fail(port === 0 ? { ...problem, hint: "local: auto" } : problem);
  return undefined;
}

/**
 * Whether a container's port can have this name: at most 15 characters with a letter among them, and no `--`.
 * Services are not bound to it (`IsValidPortName` and `validateServicePort` of Kubernetes).
 */
export function isPodPortName(name: string): boolean {
  return name.length <= POD_PORT_NAME_MAX_CHARS && HAS_LETTER.test(name) && !name.includes("--");
}

function isPortNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= PORT_MAX;
}
