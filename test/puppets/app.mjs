// What runs in the pods of behaviour tests: one odd server per port. The sandbox imports `apps`; in a real cluster the
// whole file is handed to `node --input-type=module -e`, with KFWD_PUPPET=listen.
import { createCipheriv, createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { hostname } from "node:os";

/** By pod: a sandbox runs many in one process. */
const tallies = new Map();

/**
 * What apps have heard on port 7011, a line of JSON each. In a cluster they tell it to the pods behind Service `ledger`,
 * where there is one, so that it outlives them.
 */
export const ledger = [];

const PATTERN = Buffer.from("0123456789abcdef".repeat(4096)); // 64 KiB

/** Bytes that anybody with the seed can make again: as many as asked for, each call goes on where the last one ended. */
export function bytesOf(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  return (size) => cipher.update(Buffer.alloc(size));
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function diceOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Says the seed's first `size` bytes in pieces of 1 B to 128 KiB, now and then after a pause; then calls back. */
export function sayPieces(socket, seed, size, done) {
  const [bytes, roll] = [bytesOf(seed), diceOf(seed)];
  let left = size;
  const go = () => {
    while (!socket.destroyed) {
      if (left === 0) return done();
      const piece = bytes(Math.min(left, Math.ceil(2 ** (17 * roll()))));
      left -= piece.length;
      if (!socket.write(piece)) return void socket.once("drain", go);
      const next = roll();
      if (next < 0.05) return void setTimeout(go, 10 * roll());
      if (next < 0.5) return void setImmediate(go);
    }
  };
  go();
}

/** Hands on what comes; reads on after as many milliseconds as `take` says, and rests now and then besides. */
export function hearPieces(socket, seed, take) {
  const roll = diceOf(seed);
  socket.on("data", (chunk) => {
    const restMs = take(chunk) + (roll() < 0.05 ? 10 * roll() : 0);
    if (restMs === 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), restMs);
  });
}

/** Port 7012 of Service `ledger`, if this pod came after it. */
const LEDGER_HOST = process.env.KFWD_PUPPET === "listen" ? process.env.LEDGER_SERVICE_HOST : undefined;
let courier;

function note(entry) {
  const line = JSON.stringify({ ...entry, at: Date.now() });
  if (LEDGER_HOST === undefined) {
    ledger.push(line);
    return;
  }
  if (courier === undefined || courier.destroyed) {
    courier = connect({ host: LEDGER_HOST, port: 7012 }).on("error", () => {});
  }
  courier.write(`${line}\n`);
}

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
  /** Sends as many MiB as it is asked for, else 40, as fast as they are read. */
  7005(socket) {
    socket.once("data", (asked) => {
      let left = 16 * (Number(asked) || 40);
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
  /**
   * `<seed> <up> <down> <rest>\n`, then `up` bytes: meanwhile says `down` bytes of the seed, both ways in odd pieces and
   * with pauses, the first of `rest` milliseconds; then the SHA-256 of what it has heard, in hex, and ends.
   */
  7010(socket) {
    const hash = createHash("sha256");
    let [head, left, missing] = ["", Number.NaN, 2];
    const finish = () => --missing === 0 && socket.end(hash.digest("hex"));
    hearPieces(socket, 7010, (chunk) => {
      let [body, restMs] = [chunk, 0];
      if (Number.isNaN(left)) {
        const end = chunk.indexOf(10);
        head += chunk.toString("latin1", 0, end < 0 ? chunk.length : end);
        if (end < 0) return 0;
        const [seed, up, down, first] = head.split(" ").map(Number);
        [left, restMs] = [up, first];
        body = chunk.subarray(end + 1);
        sayPieces(socket, seed, down, finish);
        if (up === 0) finish();
      }
      if (body.length === 0) return restMs;
      hash.update(body);
      left -= body.length;
      if (left === 0) finish();
      return restMs;
    });
  },
  /**
   * `<id> <seed> <up> <down> <rest>\n`, then as on port 7010, with a look at each byte: `up` bytes of the seed after it are
   * wanted. The ledger has a line when the head has come, at the first wrong byte, and at the end.
   */
  7011(socket, pod) {
    const hash = createHash("sha256");
    let [head, id, left, heard, missing, wanted] = ["", "", Number.NaN, 0, 2, () => Buffer.alloc(0)];
    const tell = (what, more = {}) => id !== "" && note({ id, pod: pod.name, what, heard, ...more });
    const finish = () => --missing === 0 && socket.end(hash.copy().digest("hex"));
    hearPieces(socket, 7011, (chunk) => {
      let [body, restMs] = [chunk, 0];
      if (Number.isNaN(left)) {
        const end = chunk.indexOf(10);
        head += chunk.toString("latin1", 0, end < 0 ? chunk.length : end);
        if (end < 0) return 0;
        const [name, ...numbers] = head.split(" ");
        const [seed, up, down, first] = numbers.map(Number);
        [id, left, restMs, wanted] = [name, up, first, bytesOf(seed + 1)];
        tell("open");
        body = chunk.subarray(end + 1);
        sayPieces(socket, seed, down, finish);
        if (up === 0) finish();
      }
      if (body.length === 0) return restMs;
      if (body.length > left || !wanted(body.length).equals(body)) tell("wrong", { came: body.length });
      hash.update(body);
      heard += body.length;
      left -= body.length;
      if (left === 0) finish();
      return restMs;
    });
    let how = "cut";
    socket.once("end", () => (how = "end"));
    socket.once("error", ({ code }) => (how = code));
    socket.once("close", () => tell("close", { how, sha256: hash.digest("hex") }));
  },
  /** Takes lines for the ledger. */
  7012(socket) {
    let partial = "";
    socket.setEncoding("utf8").on("data", (text) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop();
      ledger.push(...lines);
    });
  },
  /** Says what it was told once its client has ended, six seconds later. */
  7013(socket) {
    let told = "";
    socket.on("data", (chunk) => (told += chunk));
    socket.on("end", () => setTimeout(() => socket.end(`you said ${told}\n`), 6_000));
  },
};

/** UDP port to what it does with a datagram; `reply` answers whoever sent it. */
export const datagramApps = {
  /** Echo. */
  7000(datagram, reply) {
    reply(datagram);
  },
  /** Names its pod. */
  7001(datagram, reply, pod) {
    reply(Buffer.from(`${pod.name} got ${datagram}`));
  },
  /** Answers nothing but the question how many it has had: `count`. */
  7002(datagram, reply, pod) {
    const taken = takenBy.get(pod.name) ?? 0;
    if (String(datagram) === "count") reply(Buffer.from(String(taken)));
    else takenBy.set(pod.name, taken + 1);
  },
  /** `<count> <ms>`: so many datagrams, one each so many milliseconds. */
  7003(datagram, reply) {
    const [count, everyMs] = String(datagram).split(" ").map(Number);
    for (let i = 0; i < count; i++) setTimeout(() => reply(Buffer.from(`push ${i}`)), (i + 1) * everyMs);
  },
};

/** Datagrams by pod, of port 7002. */
const takenBy = new Map();

/** Where a pod of a real cluster takes orders: `GET /ready`, `/unready`, `/listen/PORT`, `/deafen/PORT`, `/exit`, `/ledger`. */
const CONTROL_PORT = 7099;

if (process.env.KFWD_PUPPET === "listen") {
  const pod = { name: hostname(), namespace: "" };
  const servers = new Map();
  let ready = true;
  const listen = (port) => {
    const server = createServer({ allowHalfOpen: port === "7013" }, (socket) => {
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
  for (const [port, take] of Object.entries(datagramApps)) {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
    socket.on("error", () => {}); // an answer that nobody waits for any more
    socket.on("message", (datagram, { address, port: from }) =>
      take(datagram, (answer) => socket.send(answer, from, address, () => {}), pod),
    );
    socket.bind(Number(port));
  }
  createHttpServer((request, response) => {
    const [, order, argument] = request.url.split("/");
    if (order === "ledger") return void response.end(ledger.join("\n"));
    response.statusCode = orders[order]?.(argument) ? 200 : 503;
    response.end(`${order}\n`);
  }).listen(CONTROL_PORT);
  // As a program does that lets its clients finish: it serves on for a while.
  process.on("SIGTERM", () =>
    setTimeout(() => process.exit(0), Number(process.env.KFWD_PUPPET_LINGER_MS ?? 0)),
  );
}
