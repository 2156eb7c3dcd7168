import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { SessionKey } from "../../relay/proof.ts";
import type { StreamHandler } from "../deps.ts";
import { challengeFrame, NONCE_BYTES, pongFrame, RelayDecoder, welcomeFrame } from "../wire/relayframes.ts";
import { RelayKey } from "./relaykey.ts";
import { RelayTunnel } from "./relaytunnel.ts";

let clock: FakeClock;
let handler: StreamHandler;
/** PINGs that the relay got. */
let pings: number;
let answers: "pongs" | "nothing";
let closed: string | undefined;
let tunnel: RelayTunnel;

/** A relay at the other end that greets as the real one does. */
beforeEach(async () => {
  clock = new FakeClock();
  [pings, answers, closed] = [0, "pongs", undefined];
  const key = new RelayKey();
  const session = new SessionKey(key.publicText);
  const nonce = randomBytes(NONCE_BYTES);
  const idle = (): void => {};
  const decoder = new RelayDecoder({
    to: "client",
    sink: {
      onHello: (clientNonce) => void handler.onData(welcomeFrame(session.answer(nonce, clientNonce))),
      onPing: () => {
        pings++;
        if (answers === "pongs") handler.onData(pongFrame());
      },
      onPong: idle,
      onFlow: idle,
      onStream: idle,
      onDatagram: idle,
      onEnd: idle,
      onData: idle,
      onFin: idle,
      onCredit: idle,
    },
  });
  const write = (chunk: Buffer): boolean => {
    decoder.push(chunk);
    return true;
  };
  const stream = { write, end: idle, abort: idle, pause: idle, resume: idle };
  const dial = (given: StreamHandler): Promise<typeof stream> => {
    handler = given;
    return Promise.resolve(stream);
  };
  let opened = false;
  tunnel = new RelayTunnel(
    { clock, key, pod: "relay-1", dial },
    { onOpen: () => (opened = true), onClose: ({ message }) => (closed = message) },
  );
  await settle();
  handler.onData(challengeFrame(nonce));
  await turnUntil(() => opened);
});

describe("an open tunnel", () => {
  test("that is silent is asked each five seconds, and lost after fifteen", async () => {
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
    expect(pings).toBe(12);
    answers = "nothing";
    await clock.advance(15_000);
    expect(closed).toBe('the tunnel to relay pod "relay-1" broke: nothing came from it for 15 s');
    expect(tunnel.open).toBe(false);
  });

  test("is asked before it is given up when this process could not run for a while", async () => {
    clock.stalls(60_000);
    await clock.advance(0);
    expect([closed, pings]).toEqual([undefined, 1]);
    answers = "nothing";
    clock.stalls(60_000);
    await clock.advance(4_999);
    expect(closed).toBe(undefined);
    await clock.advance(1);
    expect(closed).toContain("nothing came from it");
  });
});
