/** Binds every address that a forward wants, or none, and says why not. */
import { errnoOf } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { hostPort } from "../../hostport.ts";
import type { LocalAddress } from "../core/status.ts";
import type { Net } from "../deps.ts";
import { portOwner, type PortOwner } from "./portowner.ts";

/** With `local: auto` both families must agree on a port: how often to draw another when the second is taken. */
const AUTO_TRIES = 20;

/** What a listener is asked for. */
export type BindRequest = Parameters<Net["listen"]>[0];

/** Somebody who holds a port, in words, and the command that makes them let go of it. */
export interface KnownOwner {
  readonly name: string;
  readonly remedy: string;
}

/** More about the process that holds a port, if the caller knows it: another kfwd project, say. */
export type KnowOwner = (
  pid: number,
  port: number,
  protocol: "tcp" | "udp",
) => Promise<KnownOwner | undefined>;

/** A kind of socket. */
export interface Binder<S> {
  readonly protocol: "tcp" | "udp";
  bind(address: string, port: number): Promise<S>;
  portOf(socket: S): number;
  close(socket: S): void;
}

/** What is bound, in the order of `local`. */
export interface Bound<S> {
  readonly sockets: readonly S[];
  readonly local: readonly LocalAddress[];
}

/** @throws KfwdError as {@link Net.listen} does. */
export async function bindWanted<S>(
  request: BindRequest,
  binder: Binder<S>,
  knownOwner: KnowOwner,
): Promise<Bound<S>> {
  const wanted = addresses(request.bind);
  for (let tries = 1; ; tries++) {
    try {
      return await bindAll(wanted, request.port, binder);
    } catch (thrown) {
      if (request.port === 0 && errnoOf(thrown) === "EADDRINUSE" && tries < AUTO_TRIES) continue;
      throw await explain(request, binder.protocol, knownOwner, thrown);
    }
  }
}

/** An address to bind; an `optional` one may be missing on this machine, as ::1 is where IPv6 is off. */
interface Wanted {
  readonly address: string;
  readonly optional: boolean;
}

function addresses(bind: readonly string[]): readonly Wanted[] {
  const all = bind.flatMap((name): Wanted[] =>
    name === "localhost"
      ? [
          { address: "127.0.0.1", optional: true },
          { address: "::1", optional: true },
        ]
      : [{ address: name, optional: false }],
  );
  return [...new Map(all.map((wanted) => [wanted.address, wanted])).values()];
}

async function bindAll<S>(wanted: readonly Wanted[], port: number, binder: Binder<S>): Promise<Bound<S>> {
  const sockets: S[] = [];
  const local: LocalAddress[] = [];
  let missing: unknown;
  try {
    for (const { address, optional } of wanted) {
      try {
        const socket = await binder.bind(address, local[0]?.port ?? port);
        sockets.push(socket);
        local.push({ address, port: binder.portOf(socket) });
      } catch (thrown) {
        if (!optional || !isMissingFamily(thrown)) throw thrown;
        missing = thrown;
      }
    }
    if (sockets.length === 0) throw missing;
  } catch (thrown) {
    for (const socket of sockets) binder.close(socket);
    throw thrown;
  }
  return { sockets, local };
}

function isMissingFamily(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === "EADDRNOTAVAIL" || errno === "EAFNOSUPPORT";
}

async function explain(
  request: BindRequest,
  protocol: "tcp" | "udp",
  knownOwner: KnowOwner,
  thrown: unknown,
): Promise<KfwdError> {
  const port = `${request.port}${protocol === "udp" ? "/udp" : ""}`;
  const where = request.bind.map((name) => hostPort(name, port)).join(", ");
  const cannot = `cannot bind ${where} for forward "${request.label}"`;
  const errno = errnoOf(thrown);
  if (errno === "EADDRINUSE") {
    const owner = await portOwner(request.port, protocol);
    const known = owner && (await knownOwner(owner.pid, request.port, protocol));
    const name = known?.name ?? (owner ? describe(owner) : "another program");
    const hint = `${known?.remedy ?? "stop it"}, or set another \`local:\` for "${request.label}"`;
    return new KfwdError("PORT_BUSY", `${cannot}: it is in use by ${name}`, { cause: thrown, hint });
  }
  if (errno === "EACCES" && request.port < 1024) {
    const hint = `set \`local: ${8000 + (request.port % 1000)}\` for "${request.label}"`;
    return new KfwdError("PORT_PRIVILEGED", `${cannot}: ports below 1024 need root`, { cause: thrown, hint });
  }
  const why =
    errno !== undefined && NO_SUCH_ADDRESS.has(errno)
      ? "this machine has no such address"
      : (errno ?? "unknown reason");
  return new KfwdError("ADDRESS_UNAVAILABLE", `${cannot}: ${why}`, { cause: thrown });
}

const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EINVAL",
  "ENOTFOUND",
]);

function describe(owner: PortOwner): string {
  return `${owner.program} (pid ${owner.pid})`;
}
