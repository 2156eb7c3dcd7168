/** Binds local TCP ports and hands out the clients that come. */
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { errnoOf } from "../../errno.ts";
import type { Reason } from "../core/status.ts";
import type { ClientEvents, Clock, Listener, Net } from "../deps.ts";
import { bindWanted, type BindRequest, type KnowOwner } from "./binding.ts";
import { clientEnds, type ClientEnds } from "./clientend.ts";
import { ClientConnection } from "./connection.ts";
import { admission, descriptorLimit, type Admission } from "./descriptors.ts";

/**
 * Clients that may wait to be accepted; the system takes it for as many as it allows (Linux: `net.core.somaxconn`). One
 * too many believes itself connected, and is told nothing until it sends.
 */
const BACKLOG = 0xffff;

/** What the local side needs. */
export interface NetDeps {
  readonly clock: Clock;
  readonly knownOwner: KnowOwner;
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

async function listen(deps: LocalDeps, request: BindRequest, clients: ClientEvents): Promise<Listener> {
  const binder = {
    protocol: "tcp",
    bind: (address: string, port: number) => bindOne(deps, address, port, clients),
    portOf,
    close: (server: Server) => void server.close(),
  } as const;
  const { sockets, local } = await bindWanted(request, binder, deps.knownOwner);
  return {
    local,
    [Symbol.asyncDispose]: async () => {
      // A server's own callback waits for its connections, which live on; the port is free as soon as close() returns.
      for (const server of sockets) server.close();
    },
  };
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

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
