import { describe, expect, test } from "vitest";
import type { StreamEnd } from "../deps.ts";
import { FIRST_WINDOW_BYTES, newWindowBudget } from "../wire/relaywindow.ts";
import { RelayStream } from "./relaystream.ts";

/** A stream of a tunnel that takes everything, and what its owner is told. */
function newStream() {
  const told: string[] = [];
  const ends: StreamEnd[] = [];
  const forgotten: number[] = [];
  const carrier = {
    budget: newWindowBudget(),
    blocked: false,
    frame: () => {},
    forget: (id: number) => void forgotten.push(id),
  };
  const stream = new RelayStream(7, { host: "10.0.0.1", port: 80 }, carrier, {
    onData: () => "taken",
    onDrain: () => void told.push("drain"),
    onEnd: () => void told.push("end"),
    onClose: (end) => void ends.push(end),
  });
  return { stream, told, ends, forgotten };
}

describe("the end of a connection through the relay", () => {
  test("is there when both directions have ended, in either order", () => {
    const ours = newStream();
    ours.stream.end();
    expect(ours.ends).toEqual([]);
    ours.stream.onFin();
    expect([ours.ends, ours.forgotten]).toEqual([[{ kind: "done" }], [7]]);

    const theirs = newStream();
    theirs.stream.onFin();
    expect(theirs.ends).toEqual([]);
    theirs.stream.end();
    expect([theirs.ends, theirs.forgotten]).toEqual([[{ kind: "done" }], [7]]);
  });

  test("comes with the last byte that waited for the window, when the other side had ended before", () => {
    const { stream, told, ends, forgotten } = newStream();
    stream.onFin();
    stream.write(Buffer.alloc(FIRST_WINDOW_BYTES + 1), 0);
    stream.end();
    expect([told, ends]).toEqual([["end"], []]);
    stream.onCredit(1);
    expect([ends, forgotten]).toEqual([[{ kind: "done" }], [7]]);
  });
});
