/** The relay's front door, on the loopback of its pod: nobody in the cluster can reach it but by a port-forward. */
import { createServer, type AddressInfo, type Server } from "node:net";
import type { SessionKey } from "./proof.ts";
import { Session } from "./session.ts";

/** Those who have proven nothing yet included; they make room first, then whoever was silent for longest. */
const SESSIONS_MAX = 16;

/** What one write may leave with the kernel and in memory before the rest waits, and its oldest is dropped. */
const WRITE_AHEAD_BYTES = 512 * 1024;

export interface RelayOptions {
  readonly key: SessionKey;
  /** 0: any free one. */
  readonly port: number;
  /** Without a word from any client for so long, it ends. */
  readonly idleMs: number;
}

/** Listens from {@link listen} until nobody has spoken to it for a while. */
export class RelayServer {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #sessions = new Set<Session>();
  readonly #onEnd: (why: string) => void;
  #heardMs = performance.now();

  constructor(options: RelayOptions, onEnd: (why: string) => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    this.#server = createServer(
      { noDelay: true, allowHalfOpen: true, highWaterMark: WRITE_AHEAD_BYTES },
      (socket) => {
        if (this.#sessions.size >= SESSIONS_MAX) this.#makeRoom();
        const session = new Session(socket, options.key, {
          onHeard: () => (this.#heardMs = performance.now()),
          onClose: () => this.#sessions.delete(session),
        });
        this.#sessions.add(session);
      },
    );
    this.#server.on("error", (error) => onEnd(`cannot listen: ${error.message}`));
  }

  /** Tells the port once it listens. */
  listen(onListening: (port: number) => void): void {
    this.#server.listen({ host: "127.0.0.1", port: this.#options.port }, () => {
      const address = this.#server.address();
      onListening(isNetwork(address) ? address.port : 0);
    });
    this.#watch();
  }

  close(): void {
    this.#server.close();
    for (const session of this.#sessions) session.close("the relay ends");
  }

  #makeRoom(): void {
    const unproven = [...this.#sessions].filter(({ proven }) => !proven);
    const candidates = unproven.length > 0 ? unproven : [...this.#sessions];
    const [longest] = candidates.sort((a, b) => b.silentMs - a.silentMs);
    longest?.close("another client needs its place");
  }

  #watch(): void {
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs >= this.#options.idleMs) this.#onEnd(`no client for ${this.#options.idleMs / 1000} s`);
    else setTimeout(() => this.#watch(), this.#options.idleMs - silentMs);
  }
}

function isNetwork(address: AddressInfo | string | null): address is AddressInfo {
  return address !== null && typeof address === "object";
}
