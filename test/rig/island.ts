import { execFileSync } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { CLI, type Ended, type Project } from "./project.ts";

/** What the name server of an island does. */
export type NameServer = "answers" | "isSilent" | "knowsNothing";

/** The name that the API server has there. */
export const API_NAME = "api.kfwd.test";

let islands = 0;

/** Why no island can be made on this machine; empty: one can. */
export function lackOfIslands(): string {
  if (process.platform !== "linux") return " (left out: needs Linux's network namespaces)";
  if (process.getuid?.() !== 0) return " (left out: needs root for network namespaces)";
  const name = `kfwd-look-${process.pid}`;
  try {
    ip("netns", "add", name);
    ip("netns", "delete", name);
    return "";
  } catch (error) {
    return ` (left out: no network namespace can be made: ${String(error).split("\n")[0]})`;
  }
}

/**
 * A network namespace that reaches one API server through one cable, and a name server of its own: what a laptop meets can
 * be done to it without harm to anybody else. Commands of a project run inside.
 */
export class Island implements AsyncDisposable {
  readonly name: string;
  /** Of the API server, by name and by address. */
  readonly port: number;
  nameServer: NameServer = "answers";
  questions = 0;
  /** Connections to the API server that were asked for. */
  dials = 0;
  /** Where they lead. */
  to: { readonly host: string; readonly port: number };
  readonly #cable: string;
  readonly #net: string;
  readonly #door: Server;
  readonly #names: UdpSocket;
  readonly #sockets = new Set<Socket>();

  private constructor(name: string, cable: string, net: string, door: Server, to: Island["to"]) {
    this.name = name;
    this.#cable = cable;
    this.#net = net;
    this.#door = door;
    this.to = to;
    this.port = (door.address() as AddressInfo).port;
    door.on("connection", (socket) => this.#pass(socket));
    this.#names = createSocket("udp4");
    this.#names.on("message", (question, { port, address }) => {
      this.questions++;
      const answer = answerTo(question, this.nameServer, `${net}.1`);
      if (answer) this.#names.send(answer, port, address);
    });
  }

  /** Takes one of 16 000 networks of 10.192.0.0/10, which no test beside it has. */
  static async create(to: Island["to"]): Promise<Island> {
    const number = (process.pid * 8 + ++islands) % 16_000;
    const name = `kfwd-test-${number}`;
    const cable = `kfwd${number}`;
    const net = `10.${192 + (number >> 8)}.${number & 255}`;
    ip("netns", "add", name);
    ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name);
    ip("address", "add", `${net}.1/24`, "dev", cable);
    ip("link", "set", cable, "up");
    ip("-n", name, "address", "add", `${net}.2/24`, "dev", "eth0");
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "link", "set", "eth0", "up");
    const folder = join("/etc/netns", name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "resolv.conf"), `nameserver ${net}.1\n`);
    const door = createServer({ noDelay: true }).listen(0, `${net}.1`);
    await once(door, "listening");
    const island = new Island(name, cable, net, door, to);
    island.#names.bind(53, `${net}.1`);
    await once(island.#names, "listening");
    return island;
  }

  /** Of this machine's end of the cable. */
  get address(): string {
    return `${this.#net}.1`;
  }

  /** Starts `kfwd` inside and waits for its end. */
  async run(project: Project, ...args: string[]): Promise<Ended> {
    return project.exec("ip", ["netns", "exec", this.name, process.execPath, CLI, ...args]).ended;
  }

  /** An interface inside goes down, or comes up again. */
  link(state: "up" | "down"): void {
    ip("-n", this.name, "link", "set", "eth0", state);
  }

  /** One more address inside, or one less. */
  addressInside(change: "add" | "delete", address: string): void {
    ip("-n", this.name, "address", change, address, "dev", "eth0");
  }

  /** All connections to the API server are reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#door.close();
    this.#names.close();
    ip("link", "delete", this.#cable); // with its other end
    ip("netns", "delete", this.name);
    await rm(join("/etc/netns", this.name), { recursive: true, force: true });
  }

  #pass(client: Socket): void {
    this.dials++;
    const server = connect({ ...this.to, noDelay: true });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // `close` follows
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server).pipe(client);
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** RFC 1035, 4.1: one question, of which the first type (A) has one answer. */
function answerTo(question: Buffer, how: NameServer, address: string): Buffer | undefined {
  if (how === "isSilent") return undefined;
  let end = 12;
  const labels: string[] = [];
  for (let length = question[end] ?? 0; length > 0; length = question[end] ?? 0) {
    labels.push(question.toString("latin1", end + 1, end + 1 + length));
    end += length + 1;
  }
  const isKnown = how === "answers" && labels.join(".").toLowerCase() === API_NAME;
  const asked = question.subarray(12, end + 5);
  const isA = question.readUInt16BE(end + 1) === 1;
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(isKnown && isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  if (!isKnown || !isA) return Buffer.concat([head, asked]);
  const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([head, asked, record]);
}
