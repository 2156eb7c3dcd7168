/** Binds local ports and hands out the clients that come. */
import { createServer, connect, isIPv6, type AddressInfo, type Server } from "node:net";
import { errnoOf } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import type { LocalAddress, Reason } from "../core/status.ts";
import type { ClientEvents, Clock, Listener, Net } from "../deps.ts";
import { clientEnds, type ClientEnds } from "./clientend.ts";
import { ClientConnection } from "./connection.ts";
import { admission, descriptorLimit, type Admission } from "./descriptors.ts";
import { portOwner, type PortOwner } from "./portowner.ts";

/** With `local: auto` both families must agree on a port: how often to draw another when the second is taken. */
const AUTO_TRIES = 20;

/**
 * Clients that may wait to be accepted; the system takes it for as many as it allows (Linux: `net.core.somaxconn`). One
 * too many believes itself connected, and is told nothing until it sends.
 */
const BACKLOG = 0xffff;

/** What the local side needs. */
export interface NetDeps {
  readonly clock: Clock;
  /** More about the process that holds a port, if the caller knows it: another kfwd project, say. */
  readonly knownOwner: (pid: number, port: number) => Promise<KnownOwner | undefined>;
}

/** Somebody who holds a port, in words, and the command that makes them let go of it. */
export interface KnownOwner {
  readonly name: string;
  readonly remedy: string;
}

/** Real sockets of this machine. */
export function localNet(deps: NetDeps, admit: Admission = admission(descriptorLimit())): Net {
  const local = { ...deps, admit, clientEnds: clientEnds(deps.clock) };
  return { listen: (request, clients) => listen(local, request, clients) };
}

interface LocalDeps extends NetDeps {
  readonly admit: Admission;
  readonly clientEnds: ClientEnds;
}

type Request = Parameters<Net["listen"]>[0];

async function listen(deps: LocalDeps, request: Request, clients: ClientEvents): Promise<Listener> {
  const wanted = addresses(request.bind);
  for (let tries = 1; ; tries++) {
    try {
      return await bindAll(deps, wanted, request.port, clients);
    } catch (thrown) {
      if (request.port === 0 && errnoOf(thrown) === "EADDRINUSE" && tries < AUTO_TRIES) continue;
      throw await explain(deps, request, thrown);
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

async function bindAll(
  deps: LocalDeps,
  wanted: readonly Wanted[],
  port: number,
  clients: ClientEvents,
): Promise<Listener> {
  const servers: Server[] = [];
  const local: LocalAddress[] = [];
  let missing: unknown;
  try {
    for (const { address, optional } of wanted) {
      try {
        const server = await bindOne(deps, address, local[0]?.port ?? port, clients);
        servers.push(server);
        local.push({ address, port: portOf(server) });
      } catch (thrown) {
        if (!optional || !isMissingFamily(thrown)) throw thrown;
        missing = thrown;
      }
    }
    if (servers.length === 0) throw missing;
  } catch (thrown) {
    await closeAll(servers);
    throw thrown;
  }
  return { local, [Symbol.asyncDispose]: () => closeAll(servers) };
}

async function bindOne(
  deps: LocalDeps,
  address: string,
  port: number,
  clients: ClientEvents,
): Promise<Server> {
  if (process.platform !== "linux" && port !== 0) await refuseIfAnswered(address, port);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    const refusal = deps.admit(socket);
    if (refusal === undefined) {
      clients.onConnection(new ClientConnection(socket, deps.clock, deps.clientEnds));
      return;
    }
    socket.on("error", () => {}); // it may have gone already
    socket.resetAndDestroy();
    clients.onRefused(refusal);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, ipv6Only: true, backlog: BACKLOG }, () => {
      server.off("error", reject);
      server.on("error", (thrown) => clients.onRefused(notAccepted(thrown)));
      resolve(server);
    });
  });
}

function notAccepted(thrown: unknown): Reason {
  const why = errnoOf(thrown) ?? "unknown reason";
  return { code: "NotAccepted", kind: "local", message: `a connection could not be accepted: ${why}` };
}

/** macOS and Windows let 127.0.0.1:p be bound beside another program's *:p; only a connection tells. */
function refuseIfAnswered(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    socket.once("connect", () => {
      socket.destroy();
      reject(Object.assign(new Error(`${address}:${port} answers`), { code: "EADDRINUSE" }));
    });
    socket.once("error", () => resolve());
  });
}

function closeAll(servers: readonly Server[]): Promise<void> {
  // A server's own callback waits for its connections, which live on; the port is free as soon as close() returns.
  for (const server of servers) server.close();
  return Promise.resolve();
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function isMissingFamily(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === "EADDRNOTAVAIL" || errno === "EAFNOSUPPORT";
}

async function explain(deps: NetDeps, request: Request, thrown: unknown): Promise<KfwdError> {
  const where = request.bind.map((name) => `${isIPv6(name) ? `[${name}]` : name}:${request.port}`).join(", ");
  const cannot = `cannot bind ${where} for forward "${request.label}"`;
  const errno = errnoOf(thrown);
  if (errno === "EADDRINUSE") {
    const owner = await portOwner(request.port);
    const known = owner && (await deps.knownOwner(owner.pid, request.port));
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
