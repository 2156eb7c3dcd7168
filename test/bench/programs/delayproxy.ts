/**
 * A TCP proxy that makes the way longer: `delayproxy HOST PORT DELAY_MS` delays each chunk by that much in each
 * direction. Tells its parent its port; ends with it. The TCP handshake is not delayed, only what is said.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { realClock } from "../../../src/runtime/clock.ts";
import { DelayLine } from "./delayline.ts";

const [host = "", port = "", delayMs = ""] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
  carry(near, far);
  carry(far, near);
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());

type Piece = Buffer | "end" | "broken";

function carry(from: Socket, to: Socket): void {
  const line = new DelayLine<Piece>(realClock, Number(delayMs), (piece) => {
    if (piece === "broken") to.destroy();
    else if (!to.writable) return;
    else if (piece === "end") to.end();
    else to.write(piece);
  });
  from.on("data", (chunk) => line.push(chunk));
  from.on("end", () => line.push("end"));
  from.on("error", () => line.push("broken"));
  to.on("close", () => line[Symbol.dispose]());
}
