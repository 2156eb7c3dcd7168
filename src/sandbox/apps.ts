/** Small programs to run in sandbox pods. */
import { createServer } from "node:http";
import type { Socket } from "node:net";

/** The pod a program runs in. */
export interface PodName {
  readonly name: string;
  readonly namespace: string;
}

/** What listens on a port of a pod: called with each accepted connection, which is a real TCP socket. */
export type App = (socket: Socket, pod: PodName) => void;

/** What takes datagrams on a port of a pod: called with each; `reply` answers its sender. */
export type UdpApp = (datagram: Buffer, reply: (answer: Buffer) => void, pod: PodName) => void;

/** A pod's programs for datagrams by port. */
export type UdpApps = Readonly<Record<number, UdpApp>>;

/** Sends back what it gets. */
export function udpEchoApp(): UdpApp {
  return (datagram, reply) => reply(datagram);
}

/** A pod's programs by port. */
export type Apps = Readonly<Record<number, App>>;

/** An HTTP service that names its pod, as text, or as JSON under `/json`. */
export function webApp(greeting = "hello"): App {
  const pods = new WeakMap<Socket, PodName>();
  const server = createServer((request, response) => {
    const pod = pods.get(request.socket);
    if (request.url === "/json") {
      response.setHeader("Content-Type", "application/json");
      response.end(`${JSON.stringify({ greeting, pod: pod?.name, namespace: pod?.namespace })}\n`);
    } else {
      response.setHeader("Content-Type", "text/plain; charset=utf-8");
      response.end(`${greeting} from ${pod?.name} in ${pod?.namespace}\n`);
    }
  });
  return (socket, pod) => {
    pods.set(socket, pod);
    server.emit("connection", socket);
  };
}

/** Sends back what it gets. */
export function echoApp(): App {
  return (socket) => {
    socket.pipe(socket);
  };
}

/** Longest line a {@link databaseApp} reads. */
const LINE_MAX_BYTES = 4096;

/**
 * A key-value database of lines that greets first, as MySQL, SMTP and SSH servers do:
 * `PING`, `SET key value`, `GET key`, `QUIT`. Its content is gone with the returned program.
 */
export function databaseApp(): App {
  const rows = new Map<string, string>();
  return (socket, pod) => {
    socket.setEncoding("utf8");
    socket.write(`READY ${pod.name}\n`);
    let partial = "";
    socket.on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim().toUpperCase() === "QUIT") {
          socket.end("BYE\n");
          return;
        }
        socket.write(`${answerLine(line.trim(), rows)}\n`);
      }
      if (partial.length > LINE_MAX_BYTES) socket.end("ERROR the line is too long\n");
    });
  };
}

function answerLine(line: string, rows: Map<string, string>): string {
  const [command = "", key = "", ...value] = line.split(" ");
  switch (command.toUpperCase()) {
    case "PING":
      return "PONG";
    case "SET":
      rows.set(key, value.join(" "));
      return "OK";
    case "GET":
      return rows.get(key) ?? "NONE";
    default:
      return "ERROR commands are PING, SET, GET, QUIT";
  }
}
