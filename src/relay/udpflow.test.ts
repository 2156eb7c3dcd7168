import { expect, test } from "vitest";
import { Pacers } from "./pacer.ts";
import { UdpFlow, WaitingRoom } from "./udpflow.ts";

/** A flow whose name is not resolved before the test is over, so that all it is given waits. */
function flow(room: WaitingRoom) {
  const drops: string[] = [];
  const events = {
    onDatagram: () => {},
    onDropped: (why: string) => void drops.push(why),
    onFailed: () => {},
  };
  const made = new UdpFlow({ host: "localhost", port: 9 }, { pacer: new Pacers().join("x"), room }, events);
  return { drops, send: (bytes: number) => made.send(Buffer.alloc(bytes)), close: () => made.close() };
}

test("what waits of a flow is at most a mebibyte: the oldest go", () => {
  const one = flow(new WaitingRoom());
  for (let i = 0; i < 16; i++) one.send(64 * 1024);
  expect(one.drops).toEqual(["full"]);
  one.close();
});

test("what waits of all flows of a tunnel is bounded, and room is made when a flow ends", () => {
  const room = new WaitingRoom();
  const flows = Array.from({ length: 16 }, () => flow(room));
  for (const one of flows) for (let i = 0; i < 10; i++) one.send(60_000);
  const last = flow(room);
  last.send(60_000);
  last.send(60_000);
  expect(last.drops).toEqual(["full"]);
  for (const one of flows) one.close();
  for (let i = 0; i < 9; i++) last.send(60_000);
  expect(last.drops).toHaveLength(1);
  last.close();
});

test("a flow never loses its only datagram to the others", () => {
  const room = new WaitingRoom();
  const greedy = Array.from({ length: 16 }, () => flow(room));
  for (const one of greedy) for (let i = 0; i < 10; i++) one.send(60_000);
  const modest = flow(room);
  modest.send(100);
  expect(modest.drops).toEqual([]);
  for (const one of [...greedy, modest]) one.close();
});
