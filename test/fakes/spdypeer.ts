import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInflate } from "node:zlib";
import type { StreamEnd, StreamHandler } from "../../src/runtime/deps.ts";
import { SpdyDecoder, dataHeader, decodeHeaders, ping, synReply } from "../../src/runtime/wire/spdy.ts";
import { Intake } from "../../src/runtime/cluster/intake.ts";
import { SocketPipe, type BytePipe } from "../../src/runtime/cluster/pipe.ts";
import { turnUntil } from "./clock.ts";

/** The runtime's end of the wire: what it hears, as words, and the frames a test lets it say. */
export class Peer {
  readonly heard: string[] = [];
  readonly socket: Socket;
  readonly #inflate = createInflate();
  #inflating: Promise<void> = Promise.resolve();
  answerPings: "all" | "none" | "fourOfFive" = "all";
  #pings = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true); // as Go does; else five small answers take 40 ms
    socket.on("error", () => {});
    const decoder = new SpdyDecoder({
      onData: (id, part) => void this.heard.push(`data ${id} ${part.toString()}`),
      onFin: (id) => void this.heard.push(`fin ${id}`),
      onReset: (id, status) => void this.heard.push(`reset ${id} ${status}`),
      onSynStream: (id, block) => this.#onSyn(id, block),
      onSynReply: () => {},
      onGoAway: () => {},
      onPing: (id) => this.#onPing(id),
    });
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    socket.resume();
  }

  data(id: number, text: string, fin = false): void {
    this.socket.write(Buffer.concat([dataHeader(id, Buffer.byteLength(text), fin), Buffer.from(text)]));
  }

  async until(...lines: string[]): Promise<void> {
    await turnUntil(() => lines.every((line) => this.heard.includes(line)));
    await this.#inflating;
  }

  /** zlib takes one block after the other, so its name is filled in when its turn has come. */
  #onSyn(id: number, block: Buffer): void {
    const index = this.heard.push(`syn ${id}`) - 1;
    this.#inflating = this.#inflating.then(async () => {
      const inflated = once(this.#inflate, "data");
      this.#inflate.write(block);
      const [plain] = (await inflated) as [Buffer];
      this.heard[index] = `syn ${id} ${[...decodeHeaders(plain).values()].join(" ")}`;
    });
    this.socket.write(synReply(id, Buffer.alloc(0)));
  }

  #onPing(id: number): void {
    this.heard.push(id % 2 === 1 ? "ping" : `pong ${id}`);
    if (id % 2 === 0) return;
    const stuck = this.answerPings === "fourOfFive" && this.#pings++ % 5 === 2;
    if (this.answerPings !== "none" && !stuck) this.socket.write(ping(id));
  }
}

/** What reached the client's side of a stream, as words. */
export class Ears implements StreamHandler {
  readonly heard: string[] = [];
  end: StreamEnd | undefined;
  onData(chunk: Buffer): "taken" {
    this.heard.push(chunk.toString());
    return "taken";
  }
  onEnd(): void {
    this.heard.push("<end>");
  }
  onDrain(): void {
    this.heard.push("<drain>");
  }
  onClose(end: StreamEnd): void {
    this.heard.push(`<${end.kind}>`);
    this.end = end;
  }
}

/** A loopback connection: our end, and the peer's. Whoever asks for it closes both. */
export async function loopback(): Promise<{ readonly pipe: BytePipe; readonly peer: Peer }> {
  const { pipe, far } = await wire();
  return { pipe, peer: new Peer(far) };
}

/** The same with the bare socket at the far end, which has not been read. */
export async function wire(): Promise<{ readonly pipe: BytePipe; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const { port } = server.address() as { port: number };
  const intake = new Intake();
  const socket = connect({ port, host: "127.0.0.1", onread: intake.onread });
  const [far] = (await accepted) as [Socket];
  await turnUntil(() => !socket.connecting);
  server.close();
  return { pipe: new SocketPipe(socket, intake.attach(socket), Buffer.alloc(0)), far };
}
