/**
 * The program in the bench's pods. A client of all but the first sends how many bytes it is about, in decimal and a newline.
 *
 * | port | does                                                                |
 * |------|---------------------------------------------------------------------|
 * | 7000 | sends back what comes                                               |
 * | 7001 | sends that many bytes of the pattern, then closes                   |
 * | 7002 | reads that many, answers how many came and whether they were right  |
 * | 7003 | the same, but reads nothing for the first {@link LATE_MS}           |
 * | 7004 | sends back what has come, {@link PAUSE_MS} after the client's end   |
 *
 * Datagrams to 7000 come back, too.
 */
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { PatternCheck, sendPattern } from "./pattern.ts";

createServer({ noDelay: true }, (socket) => void quiet(socket).pipe(socket)).listen(7000);

serve(7001, (socket, bytes) => {
  sendPattern(socket, bytes).then(
    () => socket.end(),
    () => socket.destroy(),
  );
});

const echo = createSocket({ type: "udp4", recvBufferSize: 8 * 1024 * 1024 });
echo.on("message", (datagram, { port, address }) => echo.send(datagram, port, address, () => {}));
echo.on("error", () => {}); // a client that has left
echo.bind(7000);

/** For so long the client of 7004 waits for an answer that begins after its own end. */
const PAUSE_MS = 5_000;

createServer({ allowHalfOpen: true }, (socket) => {
  const parts: Buffer[] = [];
  quiet(socket).on("data", (part: Buffer) => parts.push(part));
  socket.on("end", () => setTimeout(() => socket.end(Buffer.concat(parts)), PAUSE_MS));
}).listen(7004);

/** For so long the client of 7003 meets an application that does not read. */
const LATE_MS = 6_000;

serve(7002, take);

serve(7003, (socket, bytes, early) => {
  socket.pause();
  setTimeout(() => {
    take(socket, bytes, early);
    socket.resume();
  }, LATE_MS);
});

function take(socket: Socket, bytes: number, early: Buffer): void {
  const check = new PatternCheck();
  const push = (chunk: Buffer): void => {
    check.push(chunk);
    if (check.bytes >= bytes) socket.end(`${check.bytes} ${check.wrong ? "wrong" : "right"}\n`);
  };
  push(early);
  socket.on("data", push);
}

process.on("SIGTERM", () => process.exit());

/** Reads the first line; `early` is what came right behind it. */
function serve(port: number, answer: (socket: Socket, bytes: number, early: Buffer) => void): void {
  createServer((socket) => {
    quiet(socket).once("data", (head: Buffer) => {
      const end = head.indexOf("\n");
      answer(socket, Number(head.toString("latin1", 0, end)), head.subarray(end + 1));
    });
  }).listen(port);
}

/** A client that goes away must not end the program. */
function quiet(socket: Socket): Socket {
  return socket.on("error", () => socket.destroy());
}
