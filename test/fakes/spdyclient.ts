import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import {
  HeaderBlockEncoder,
  SpdyDecoder,
  dataHeader,
  goAway,
  ping,
  resetStream,
  synStream,
} from "../../src/runtime/wire/spdy.ts";

/** Where to go, and as whom. */
export interface ServerAddress {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly token?: string;
}

/** A raw socket to the server: TLS for https. */
export async function dialServer({ url, ca }: ServerAddress): Promise<Socket> {
  const { hostname, port, protocol } = new URL(url);
  const to = { host: hostname, port: Number(port) };
  const socket = protocol === "https:" ? connectTls({ ...to, ...(ca ? { ca } : {}) }) : connectTcp(to);
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once(protocol === "https:" ? "secureConnect" : "connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** Sends a request as text and collects the head of the answer, or all of it when the server ends the connection. */
export async function ask(socket: Socket, lines: readonly string[]): Promise<{ head: string; rest: Buffer }> {
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let read = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [head, rest] = [read.toString("latin1", 0, end), read.subarray(end + 4)];
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (rest.length < length) return;
      socket.off("data", onData);
      socket.pause();
      resolve({ head, rest });
    };
    socket.on("data", onData);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`closed after "${read.toString("latin1")}"`)));
  });
}

/** The lines of a port-forward request. */
export function forwardRequest({ url, token }: ServerAddress, namespace: string, pod: string): string[] {
  const { pathname, host } = new URL(url);
  return [
    `POST ${pathname.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/pods/${pod}/portforward HTTP/1.1`,
    `Host: ${host}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    "X-Stream-Protocol-Version: portforward.k8s.io",
    "Content-Length: 0",
  ];
}

/** A port-forward client that shows every frame: the events of each stream in order, as short texts. */
export class SpdyClient implements Disposable {
  readonly socket: Duplex;
  /** All frames, `reply 3`, `data 3 hello`, `fin 3`, `reset 3 5`, `pong 1`, `goaway 7`, and `closed`. */
  readonly heard: string[] = [];
  /** Bytes of each stream. */
  readonly bytes = new Map<number, Buffer[]>();
  readonly #encoder = new HeaderBlockEncoder();
  readonly #waiting = new Set<() => void>();
  #nextId = 1;
  #nextRequest = 0;
  #nextPing = 1;

  /** Over an upgraded socket, or over what else carries its bytes. */
  constructor(socket: Duplex, early: Buffer) {
    this.socket = socket;
    const say = (text: string): void => {
      this.heard.push(text);
      for (const look of this.#waiting) look();
    };
    const decoder = new SpdyDecoder({
      onData: (id, part) => {
        this.bytes.set(id, [...(this.bytes.get(id) ?? []), Buffer.from(part)]);
        say(`data ${id} ${part.toString("latin1")}`);
      },
      onFin: (id) => say(`fin ${id}`),
      onReset: (id, status) => say(`reset ${id} ${status}`),
      onSynReply: (id) => say(`reply ${id}`),
      onSynStream: (id) => say(`syn ${id}`),
      onPing: (id) => say(`pong ${id}`),
      onGoAway: (id) => say(`goaway ${id}`),
    });
    if (early.length > 0) decoder.push(early);
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    socket.on("error", () => {});
    socket.once("end", () => socket.destroy());
    socket.once("close", () => say("closed"));
    socket.resume();
  }

  static async to(server: ServerAddress, namespace: string, pod: string): Promise<SpdyClient> {
    const socket = await dialServer(server);
    const { head, rest } = await ask(socket, forwardRequest(server, namespace, pod));
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`${head}\n\n${rest.toString()}`);
    return new SpdyClient(socket, rest);
  }

  /** Opens an error and a data stream in one write; returns their ids. */
  open(
    port: number | string,
    headers: Readonly<Record<string, string>> = {},
  ): { error: number; data: number } {
    const [error, data] = [this.#id(), this.#id()];
    const requestid = String(this.#nextRequest++);
    const frame = (id: number, streamtype: string): Buffer =>
      this.syn(id, { streamtype, port: String(port), requestid, ...headers });
    this.socket.write(
      Buffer.concat([frame(error, "error"), dataHeader(error, 0, true), frame(data, "data")]),
    );
    return { error, data };
  }

  /** A SYN_STREAM frame; frames must be sent in the order they are made. */
  syn(id: number, headers: Readonly<Record<string, string>>): Buffer {
    this.#nextId = Math.max(this.#nextId, id + 2);
    return synStream(id, this.#encoder.encode(Object.entries(headers)));
  }

  write(id: number, bytes: string | Buffer): void {
    const payload = Buffer.from(bytes as string);
    this.socket.write(Buffer.concat([dataHeader(id, payload.length, false), payload]));
  }

  end(id: number): void {
    this.socket.write(dataHeader(id, 0, true));
  }

  reset(id: number): void {
    this.socket.write(resetStream(id, 5));
  }

  /** Sends this many PINGs; returns their ids. */
  ping(count = 1): number[] {
    return Array.from({ length: count }, () => {
      const id = this.#nextPing;
      this.#nextPing += 2;
      this.socket.write(ping(id));
      return id;
    });
  }

  goAway(): void {
    this.socket.write(goAway(0));
  }

  /** Frames of these streams, in order. */
  of(...ids: readonly number[]): string[] {
    return this.heard.filter((text) => ids.includes(Number(text.split(" ")[1])) && !text.startsWith("pong"));
  }

  /** Everything that came on a stream. */
  text(id: number): string {
    return Buffer.concat(this.bytes.get(id) ?? []).toString("latin1");
  }

  /** Resolves when it has been heard. */
  async until(wanted: string | (() => boolean)): Promise<void> {
    const holds = typeof wanted === "string" ? () => this.heard.includes(wanted) : wanted;
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  #id(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
