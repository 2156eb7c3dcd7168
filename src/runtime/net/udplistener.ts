/** Binds local UDP ports, takes what clients send, and answers them from the address that they wrote to. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock, Log, UdpClient, UdpListener, UdpNet } from "../deps.ts";
import { bindWanted, type BindRequest, type KnowOwner } from "./binding.ts";
import { systemDrops, type SystemDrops } from "./udpdrops.ts";

/** Room for bursts: with what systems give of their own, a pause of some milliseconds costs nine of ten. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** Answers that the system has no room for wait in memory up to here; what comes then is dropped. */
const UNSENT_MAX_BYTES = 1024 * 1024;

/** What the local side needs for datagrams. */
export interface UdpDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly knownOwner: KnowOwner;
}

type OnDatagram = (datagram: Buffer, client: UdpClient) => void;

/** Real sockets of this machine. */
export function localUdp(deps: UdpDeps): UdpNet {
  return { listen: (request, onDatagram) => listen(deps, request, onDatagram) };
}

async function listen(deps: UdpDeps, request: BindRequest, onDatagram: OnDatagram): Promise<UdpListener> {
  const binder = {
    protocol: "udp",
    bind: bindOne,
    portOf: (socket: Socket) => socket.address().port,
    close: (socket: Socket) => void socket.close(),
  } as const;
  const { sockets, local } = await bindWanted(request, binder, deps.knownOwner);
  const served = sockets.map((socket) => new ServedSocket(socket, onDatagram));
  const system = systemDrops(local, deps.clock);
  for (const one of served) one.serve(system);
  askForRoom(deps.log, request.label, sockets);
  return {
    local,
    get drops() {
      return {
        received: system.count,
        sent: served.reduce((sum, { unsent }) => sum + unsent, 0),
      };
    },
    [Symbol.asyncDispose]: async () => {
      system[Symbol.dispose]();
      for (const one of served) one[Symbol.dispose]();
    },
  };
}

function bindOne(address: string, port: number): Promise<Socket> {
  const socket = isIPv6(address)
    ? createSocket({ type: "udp6", ipv6Only: true, lookup: lookUpNothing })
    : createSocket({ type: "udp4", lookup: lookUpNothing });
  return new Promise((resolve, reject) => {
    socket.once("error", (thrown) => {
      socket.close();
      reject(thrown);
    });
    socket.bind({ address, port }, () => {
      socket.removeAllListeners("error");
      socket.on("error", () => {}); // an ICMP message about an answer: its client has left, and that is all
      resolve(socket);
    });
  });
}

/** Addresses are numbers already. Node would look them up in a later turn of the event loop. */
function lookUpNothing(
  address: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void,
): void {
  found(null, address, isIPv6(address) ? 6 : 4);
}

function askForRoom(log: Log, forward: string, sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // macOS refuses what is above its limit, in place of giving that much
    }
    const granted = socket.getRecvBufferSize(); // Linux says twice as much, of which half is for itself
    const usable = process.platform === "linux" ? granted / 2 : granted;
    if (usable >= RECEIVE_BUFFER_BYTES) continue;
    log.info("receive buffer", { forward, asked: RECEIVE_BUFFER_BYTES, granted: usable });
  }
}

/** One bound socket and those who write to it. */
class ServedSocket implements Disposable {
  readonly #socket: Socket;
  readonly #onDatagram: OnDatagram;
  #stage: "open" | "closed" = "open";
  #unsent = 0;

  constructor(socket: Socket, onDatagram: OnDatagram) {
    this.#socket = socket;
    this.#onDatagram = onDatagram;
  }

  /** Answers that could not be sent. */
  get unsent(): number {
    return this.#unsent;
  }

  serve(system: SystemDrops): void {
    const { address: here } = this.#socket.address();
    this.#socket.on("message", (datagram, from) => {
      if (this.#stage === "closed") return;
      system.expect();
      this.#onDatagram(datagram, this.#clientAt(here, from));
    });
  }

  [Symbol.dispose](): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#socket.close();
  }

  #clientAt(here: string, { address, port }: RemoteInfo): UdpClient {
    return {
      key: `${here} ${address} ${port}`,
      send: (datagram) => this.#send(datagram, address, port),
    };
  }

  #send(datagram: Buffer, address: string, port: number): void {
    if (this.#stage === "closed" || this.#socket.getSendQueueSize() > UNSENT_MAX_BYTES) {
      this.#unsent++;
      return;
    }
    try {
      // A copy: the socket reads it later when the system has no room now, and the memory is only lent.
      this.#socket.send(Buffer.from(datagram), port, address, this.#onSent);
    } catch {
      this.#unsent++;
    }
  }

  readonly #onSent = (error: Error | null): void => {
    if (error) this.#unsent++;
  };
}
