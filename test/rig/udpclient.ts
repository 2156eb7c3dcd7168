import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** How long an answer may take before the test fails. */
const PATIENCE_MS = 15_000;

/** Long enough for a tunnel that is well, short enough for many tries while it is not. */
const TRY_MS = 500;

/** A client of a local UDP port; connected, so that it hears answers from there alone. Disposing closes it. */
export class UdpAsker implements AsyncDisposable {
  /** What has come, oldest first. */
  readonly heard: Buffer[] = [];
  readonly #socket: Socket;
  readonly #watching = new Set<() => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {}); // nobody listens there now
    socket.on("message", (datagram) => {
      this.heard.push(datagram);
      for (const look of this.#watching) look();
    });
  }

  static async open(port: number, host = "127.0.0.1"): Promise<UdpAsker> {
    const type = host.includes(":") ? "udp6" : "udp4";
    const socket = createSocket({ type, recvBufferSize: 4 * 1024 * 1024 });
    socket.connect(port, host);
    await once(socket, "connect");
    return new UdpAsker(socket);
  }

  /** Resolves when the system has taken it. @throws what the system says: EMSGSIZE. */
  send(datagram: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.send(datagram, (error) => (error ? reject(error) : resolve())),
    );
  }

  /** Resolves when so many have come. */
  async until(count: number, patienceMs = PATIENCE_MS): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        clearTimeout(timer);
        this.#watching.delete(look);
        outcome();
      };
      const look = (): void => {
        if (this.heard.length >= count) settle(resolve);
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`${this.heard.length} of ${count} datagrams came`))),
        patienceMs,
      );
      this.#watching.add(look);
      look();
    });
  }

  /** The answer to one question; what came before is forgotten. */
  async ask(question: string | Buffer, patienceMs = PATIENCE_MS): Promise<Buffer> {
    this.heard.length = 0;
    await this.send(question);
    await this.until(1, patienceMs);
    return this.heard[0] ?? Buffer.alloc(0);
  }

  /** The first answer to a question that is asked until one comes, as all who use UDP must. */
  async keepAsking(question: string, wanted: (answer: string) => boolean = () => true): Promise<string> {
    const untilMs = performance.now() + 2 * PATIENCE_MS;
    for (;;) {
      const answer = await this.ask(question, TRY_MS).then(String, () => undefined);
      if (answer !== undefined && wanted(answer)) return answer;
      if (performance.now() > untilMs) throw new Error(`"${question}" got ${answer ?? "no answer"}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }
}
