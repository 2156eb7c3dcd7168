import type { Socket } from "node:net";

/** Programs by port; what each does stands in app.mjs. */
export const apps: Readonly<
  Record<number, (socket: Socket, pod: { readonly name: string; readonly namespace: string }) => void>
>;

/** What apps of this process have heard on port 7011, a line of JSON each. */
export const ledger: readonly string[];

/** Bytes that anybody with the seed can make again, as many as asked for at a time. */
export function bytesOf(seed: number): (size: number) => Buffer;

/** Numbers in [0, 1), the same for the same seed. */
export function diceOf(seed: number): () => number;

/** Says the seed's first `size` bytes in odd pieces and with pauses; then calls back. */
export function sayPieces(socket: Socket, seed: number, size: number, done: () => void): void;

/** Hands on what comes; reads on after as many milliseconds as `take` says, and rests now and then besides. */
export function hearPieces(socket: Socket, seed: number, take: (chunk: Buffer) => number): void;
/** What takes datagrams on each UDP port. */
export const datagramApps: UdpApps;
