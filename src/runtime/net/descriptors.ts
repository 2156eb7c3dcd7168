/**
 * Room for clients. Without a free file descriptor Node accepts a client and closes it again, unseen: to the client
 * that looks like an empty answer. So clients are refused while there are still some left, which the way to the
 * cluster, the control socket and files have for themselves.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Reason } from "../core/status.ts";

/** Left to everything but clients: at most as many as thirty pods want, at least a quarter of what there is. */
const RESERVE_MAX = 256;
const RESERVE_SHARE = 0.25;

/** Why an accepted client cannot stay; undefined: it can. */
export type Admission = (client: Socket) => Reason | undefined;

/** By the limit of this process; all are admitted where that is not known. */
export function admission(limit: number | undefined): Admission {
  if (limit === undefined) return () => undefined;
  const room = limit - Math.min(RESERVE_MAX, Math.floor(limit * RESERVE_SHARE));
  return (client) => {
    // The system gives the lowest number that is free, so all below the client's are in use.
    const used = descriptorOf(client);
    return used !== undefined && used >= room ? refusal(used, limit) : undefined;
  };
}

/** How many files and sockets this process may have open; Node has raised it as far as it may be. */
export function descriptorLimit(
  platform: NodeJS.Platform = process.platform,
  read: () => string = () => readFileSync("/proc/self/limits", "latin1"),
): number | undefined {
  if (platform !== "linux") return undefined; // no other system has a place to read it from
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(read())?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function refusal(used: number, limit: number): Reason {
  return {
    code: "TooManyConnections",
    kind: "local",
    message:
      `too many connections: ${used} of this process's ${limit} file descriptors are in use, ` +
      "and the others are not for clients (raise `ulimit -n`)",
  };
}

/** Undefined where Node does not tell. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null || !("fd" in handle)) return undefined;
  return typeof handle.fd === "number" ? handle.fd : undefined;
}
