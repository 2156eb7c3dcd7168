// What runs in the pods of behaviour tests: one odd server per port. The sandbox imports `apps`; in a real cluster the
// whole file is handed to `node --input-type=module -e`, with KFWD_PUPPET=listen.
import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { hostname } from "node:os";

/** By pod: a sandbox runs many in one process. */
const tallies = new Map();

const PATTERN = Buffer.from("0123456789abcdef".repeat(4096)); // 64 KiB

/** Port to what it does with a connection; `pod` has the pod's name. */
export const apps = {
  /** HTTP: names its pod. */
  8080(socket, pod) {
    socket.once("data", () => {
      const body = `hello from ${pod.name}\n`;
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
  },
  /** Echo. */
  7000(socket) {
    socket.pipe(socket);
  },
  /** Speaks first, then echoes. */
  7001(socket, pod) {
    socket.write(`220 ${pod.name} ready\n`);
    socket.pipe(socket);
  },
  /** Answers 2.5 s after the first bytes, then ends. */
  7002(socket) {
    socket.once("data", (asked) => {
      setTimeout(() => socket.end(`answer to ${String(asked).trim()}\n`), 2_500);
    });
  },
  /** Sends 1 MiB at once and ends. */
  7003(socket) {
    socket.resume();
    for (let part = 0; part < 16; part++) socket.write(PATTERN);
    socket.end();
  },
  /** After the first bytes: half an answer, then a reset. */
  7004(socket) {
    socket.once("data", () => {
      socket.write("half an ans", () => setTimeout(() => socket.resetAndDestroy(), 50));
    });
  },
  /** Sends 40 MiB to whoever asks, as fast as it is read. */
  7005(socket) {
    socket.once("data", () => {
      let left = 640;
      const send = () => {
        while (left-- > 0) if (!socket.write(PATTERN)) return;
        socket.end();
      };
      socket.on("drain", send);
      send();
    });
  },
  /** Never reads. */
  7006(socket) {
    socket.pause();
  },
  /** `<bytes>\n`, then that many bytes: answers with their SHA-256 in hex. */
  7007(socket) {
    const hash = createHash("sha256");
    let head = "";
    let left = Number.NaN;
    socket.on("data", (chunk) => {
      let body = chunk;
      if (Number.isNaN(left)) {
        const end = chunk.indexOf(10);
        head += chunk.toString("latin1", 0, end < 0 ? chunk.length : end);
        if (end < 0) return;
        left = Number(head);
        body = chunk.subarray(end + 1);
      }
      hash.update(body);
      left -= body.length;
      if (left <= 0) socket.end(`${hash.digest("hex")}\n`);
    });
  },
  /** Tells how many clients it has seen before, and how many are there; whatever comes is asking again. */
  7008(socket, pod) {
    const tally = tallies.get(pod.name) ?? { seen: 0, open: 0 };
    tallies.set(pod.name, tally);
    const tell = () => socket.write(`seen ${tally.seen} open ${tally.open}\n`);
    tell();
    tally.seen++;
    tally.open++;
    socket.on("data", tell);
    socket.on("close", () => tally.open--);
  },
  /** Echo, on a port that tests close and open again. */
  7009(socket) {
    socket.pipe(socket);
  },
};

/** Where a pod of a real cluster takes orders: `GET /ready`, `/unready`, `/listen/PORT`, `/deafen/PORT`, `/exit`. */
const CONTROL_PORT = 7099;

if (process.env.KFWD_PUPPET === "listen") {
  const pod = { name: hostname(), namespace: "" };
  const servers = new Map();
  let ready = true;
  const listen = (port) => {
    const server = createServer({ allowHalfOpen: false }, (socket) => {
      socket.on("error", () => {});
      apps[port](socket, pod);
    });
    servers.set(port, server);
    server.listen(Number(port));
  };
  const orders = {
    readyz: () => ready,
    ready: () => (ready = true),
    unready: () => {
      ready = false;
      return true;
    },
    listen: (port) => {
      listen(port);
      return true;
    },
    deafen: (port) => {
      servers.get(port)?.close();
      return true;
    },
    exit: () => {
      setImmediate(() => process.exit(1));
      return true;
    },
  };
  for (const port of Object.keys(apps)) listen(port);
  createHttpServer((request, response) => {
    const [, order, argument] = request.url.split("/");
    response.statusCode = orders[order]?.(argument) ? 200 : 503;
    response.end(`${order}\n`);
  }).listen(CONTROL_PORT);
  // As a program does that lets its clients finish: it serves on for a while.
  process.on("SIGTERM", () =>
    setTimeout(() => process.exit(0), Number(process.env.KFWD_PUPPET_LINGER_MS ?? 0)),
  );
}
