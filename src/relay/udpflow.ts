/** One client's datagrams: a UDP socket of its own, connected to the target, so that only the target's answers come back. */
import { createSocket, type Socket } from "node:dgram";
import type { DropCause, EndCause, FrameTarget } from "../runtime/wire/relayframes.ts";
import { guardedLookup } from "./lookup.ts";
import type { Pacer } from "./pacer.ts";

/**
 * Of a flow before its name is resolved, and while the system takes no more; the oldest are dropped. A tunnel that stalled
 * brings all that came meanwhile at once, so that there is as much room as in front of it.
 */
const WAITING_MAX_BYTES = 1024 * 1024;

/** Given to the system at once. */
const UNDER_WAY_MAX_BYTES = 256 * 1024;

/** What Linux gives of it is up to `net.core.rmem_max`. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** What it costs to keep a datagram, besides its bytes. */
const ITEM_BYTES = 64;

/** Of all flows of a tunnel together: the pod's memory is small. */
const ROOM_BYTES = 8 * 1024 * 1024;

/** What the flows of one tunnel let wait. */
export class WaitingRoom {
  #bytes = 0;

  get full(): boolean {
    return this.#bytes > ROOM_BYTES;
  }

  /** Less than 0: some have gone. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

export interface FlowEvents {
  onDatagram(datagram: Buffer): void;
  onDropped(why: DropCause): void;
  /** It cannot go on; called once. */
  onFailed(why: EndCause, words: string): void;
}

/** Opens at once; what is sent before the name is resolved waits. */
export class UdpFlow {
  readonly #events: FlowEvents;
  readonly #pacer: Pacer;
  readonly #room: WaitingRoom;
  #socket: Socket | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #inLine: "no" | "yes" = "no";
  /** Given to the system and not yet sent. */
  #underWayBytes = 0;
  #state: "resolving" | "open" | "closed" = "resolving";

  constructor(
    target: FrameTarget,
    around: { readonly pacer: Pacer; readonly room: WaitingRoom },
    events: FlowEvents,
  ) {
    this.#events = events;
    this.#pacer = around.pacer;
    this.#room = around.room;
    const { host, port } = target;
    guardedLookup(host, {}, (error, address, family = 0) => {
      if (this.#state === "closed") return;
      if (error || typeof address !== "string")
        this.#fail("unresolved", `${host}: ${error?.code ?? error?.message}`);
      else this.#open(address, family, port);
    });
  }

  /** The datagram must not change any more. */
  send(datagram: Buffer): void {
    if (this.#state === "closed") return;
    if (this.#waiting.length === 0 && this.#mayGive(datagram)) this.#give(datagram);
    else this.#keep(datagram);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#waiting = [];
    this.#count(-this.#waitingBytes);
    this.#socket?.close();
  }

  #open(address: string, family: number, port: number): void {
    const socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    this.#socket = socket;
    socket.on("message", (datagram) => this.#state === "open" && this.#events.onDatagram(datagram));
    // An ICMP answer to an earlier datagram, or no way to the target; neither ends the socket.
    socket.on("error", (error) => this.#onError(error));
    try {
      socket.connect(port, address, (error?: Error) => {
        if (error) this.#onError(error);
        else this.#connected();
      });
    } catch (error) {
      this.#fail("unreachable", String(error)); // a port that cannot be one
    }
  }

  #connected(): void {
    if (this.#state !== "resolving") return;
    this.#state = "open";
    this.#sendWaiting();
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (this.#state === "resolving") this.#fail("unreachable", error.code ?? error.message);
    else if (this.#state === "open") this.#events.onDropped("refused");
  }

  #fail(why: EndCause, words: string): void {
    const lost = this.#waiting.length;
    this.close();
    for (let i = 0; i < lost; i++) this.#events.onDropped(why === "unresolved" ? "unresolved" : "refused");
    this.#events.onFailed(why, words);
  }

  #give(datagram: Buffer): void {
    this.#underWayBytes += datagram.length;
    this.#socket?.send(datagram, (error: NodeJS.ErrnoException | null) => {
      this.#underWayBytes -= datagram.length;
      if (this.#state !== "open") return;
      if (error) this.#events.onDropped(DROPPED_BY[error.code ?? ""] ?? "refused");
      this.#sendWaiting();
    });
  }

  #keep(datagram: Buffer): void {
    this.#waiting.push(datagram);
    this.#count(datagram.length + ITEM_BYTES);
    while ((this.#waitingBytes > WAITING_MAX_BYTES || this.#room.full) && this.#waiting.length > 1) {
      this.#count(-(this.#waiting.shift()?.length ?? 0) - ITEM_BYTES);
      this.#events.onDropped("full");
    }
  }

  #count(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#room.add(bytes);
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#mayGive(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#count(-next.length - ITEM_BYTES);
      this.#give(next);
    }
  }

  #mayGive(datagram: Buffer): boolean {
    if (this.#state !== "open" || this.#underWayBytes >= UNDER_WAY_MAX_BYTES) return false;
    if (this.#pacer.take(datagram.length)) return true;
    if (this.#inLine === "yes") return false;
    this.#inLine = "yes";
    this.#pacer.whenFree(() => {
      this.#inLine = "no";
      this.#sendWaiting();
    });
    return false;
  }
}

const DROPPED_BY: Readonly<Record<string, DropCause>> = {
  EMSGSIZE: "tooLarge",
  ENOBUFS: "full",
  EAGAIN: "full",
};
