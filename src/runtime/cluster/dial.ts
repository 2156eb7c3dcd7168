/** Opens sockets to an API server: TCP, then TLS where the URL says https. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../deps.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { deadlineFailure, dialFailure } from "./failures.ts";

/** TCP and TLS together; a healthy server answers in a few round trips. */
const DIAL_DEADLINE_MS = 10_000;

/** A socket that is ready for a request, and the credentials whose headers that request must carry. */
export interface Dialled {
  readonly socket: Socket;
  readonly credentials: Credentials;
}

/** Dials one API server; remembers its TLS session, which saves the certificate's round of CPU on the next dial. */
export class Dialler {
  readonly access: RenewableAccess;
  readonly #clock: Clock;
  #session: Buffer | undefined;

  constructor(access: RenewableAccess, clock: Clock) {
    this.access = access;
    this.#clock = clock;
  }

  /** @throws KfwdError of exit status 4, or the signal's reason. */
  async dial(signal: AbortSignal): Promise<Dialled> {
    const credentials = await this.access.credentials(signal);
    signal.throwIfAborted();
    const { server } = this.access;
    const secure = server.protocol === "https:";
    const host = server.hostname.replace(/^\[|\]$/g, "");
    const port = server.port === "" ? (secure ? 443 : 80) : Number(server.port);
    const socket = secure
      ? connectTls({
          ...(isIP(host) ? {} : { servername: host }),
          ...credentials.tls,
          ...(this.#session ? { session: this.#session } : {}),
          host,
          port,
          ALPNProtocols: ["http/1.1"],
        }).on("session", (session: Buffer) => (this.#session = session))
      : connectTcp({ host, port });
    socket.setNoDelay(true);
    await this.#established(socket, secure ? "secureConnect" : "connect", signal);
    return { socket, credentials };
  }

  #established(socket: Socket, event: "secureConnect" | "connect", signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        deadline[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        socket.off("error", onError);
        socket.off("close", onClose);
        outcome();
      };
      const fail = (error: unknown): void =>
        settle(() => {
          this.#session = undefined; // it may be what the server did not like
          socket.on("error", () => {}); // what a dead socket still has to say
          socket.destroy();
          reject(error);
        });
      const onError = (error: Error): void => fail(dialFailure(this.access, error));
      const onClose = (): void => fail(dialFailure(this.access, new Error("connection closed")));
      const onAbort = (): void => fail(signal.reason);
      const deadline = this.#clock.timer(DIAL_DEADLINE_MS, () =>
        fail(deadlineFailure(this.access, "no connection", DIAL_DEADLINE_MS)),
      );
      signal.addEventListener("abort", onAbort, { once: true });
      socket.once("error", onError);
      socket.once("close", onClose);
      socket.once(event, () => settle(resolve));
    });
  }
}
