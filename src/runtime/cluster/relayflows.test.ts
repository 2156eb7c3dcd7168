import { beforeEach, expect, test } from "vitest";
import type { Flow, FlowHandler } from "../deps.ts";
import { RelayFlows, type FlowShare } from "./relayflows.ts";

const TARGET = { host: "10.0.0.1", port: 53 };
const MAX = 10;

let flows: RelayFlows;
/** What the relay knows, by the order of their beginning. */
let known: { readonly handler: FlowHandler; stage: "open" | "given up" }[];
let ended: string[];

beforeEach(() => {
  known = [];
  ended = [];
  flows = new RelayFlows((_target, handler) => {
    const one = { handler, stage: "open" as "open" | "given up" };
    known.push(one);
    return { send: () => one.stage === "open", [Symbol.dispose]: () => void (one.stage = "given up") };
  }, MAX);
});

const living = (): number => known.filter(({ stage }) => stage === "open").length;

function begin(share: FlowShare, name: string): Flow {
  const flow = share.flow(TARGET, {
    onDatagram() {},
    onDropped() {},
    onEnd: (why) => ended.push(`${name} ${why ?? "over"}`),
  });
  expect(flow.send(Buffer.from("x"))).toBe(true);
  return flow;
}

test("one forward alone has all the room, and then its quietest flow goes", () => {
  const share = flows.share();
  const [first] = Array.from({ length: MAX }, (_, i) => begin(share, `f${i}`));
  first?.send(Buffer.from("again"));
  known[1]?.handler.onDatagram(Buffer.from("an answer"));
  begin(share, "one more");
  expect(ended).toEqual(["f2 crowded"]);
  expect(living()).toBe(MAX);
});

test("who has most makes room for who has less, until they are equal", () => {
  const [crowd, few] = [flows.share(), flows.share()];
  for (let i = 0; i < MAX; i++) begin(crowd, `crowd ${i}`);
  for (let i = 0; i < MAX; i++) begin(few, `few ${i}`);
  expect(ended.filter((name) => name.startsWith("crowd"))).toHaveLength(MAX / 2);
  expect(ended.filter((name) => name.startsWith("few"))).toHaveLength(MAX / 2);
  expect(living()).toBe(MAX);
});

test("room is free again when flows end, however they do", () => {
  const [one, other] = [flows.share(), flows.share()];
  const [first] = Array.from({ length: MAX / 2 }, (_, i) => begin(one, `${i}`));
  for (let i = 0; i < MAX / 2; i++) begin(other, `other ${i}`);
  first?.[Symbol.dispose]();
  known[1]?.handler.onEnd();
  begin(one, "a");
  begin(one, "b");
  other[Symbol.dispose]();
  for (let i = 0; i < MAX / 2; i++) begin(one, `late ${i}`);
  expect(ended).toEqual(["1 over"]);
});
