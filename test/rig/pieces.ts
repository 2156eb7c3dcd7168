import { createHash } from "node:crypto";
import { once } from "node:events";
import { bytesOf, diceOf, hearPieces, sayPieces } from "../puppets/app.mjs";
import { dial, within } from "./client.ts";

/** How much goes which way, and of which bytes. */
export interface Talk {
  readonly seed: number;
  readonly up: number;
  readonly down: number;
  /** How long either side reads nothing when it has begun to: what is sent meanwhile fills all buffers on the way. Default 0. */
  readonly restMs?: number;
}

/** What either side has heard, as SHA-256 in hex. */
export interface Heard {
  readonly app: string;
  readonly client: string;
  readonly clientBytes: number;
}

/** A talk with port 7010 of the app, in both directions at once, in odd pieces and with pauses; to the app's end. */
export async function talk(port: number, { seed, up, down, restMs = 0 }: Talk): Promise<Heard> {
  const socket = await dial(port);
  const hash = createHash("sha256");
  let clientBytes = 0;
  let told = "";
  hearPieces(socket, seed + 2, (chunk) => {
    const isFirst = clientBytes === 0;
    const mine = chunk.subarray(0, down - clientBytes);
    hash.update(mine);
    clientBytes += mine.length;
    told += chunk.toString("latin1", mine.length);
    return isFirst ? restMs : 0;
  });
  const ended = within(once(socket, "end"), 60_000);
  socket.write(`${seed} ${up} ${down} ${restMs}\n`);
  sayPieces(socket, seed + 1, up, () => {});
  await ended;
  socket.destroy();
  return { app: told, client: hash.digest("hex"), clientBytes };
}

/** What is heard in a talk when no byte is lost, doubled or changed. */
export function wholeOf({ seed, up, down }: Talk): Heard {
  return { app: sha256(bytesOf(seed + 1)(up)), client: sha256(bytesOf(seed)(down)), clientBytes: down };
}

/** Talks of 0 B to 4 MiB each way, small ones as likely as large ones. */
export function talksOf(seed: number, count: number): readonly Talk[] {
  const roll = diceOf(seed);
  const size = (): number => (roll() < 0.1 ? 0 : Math.floor(2 ** (22 * roll())));
  return Array.from({ length: count }, (_, index) => ({ seed: seed + 10 * index, up: size(), down: size() }));
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
