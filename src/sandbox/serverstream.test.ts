import { beforeEach, describe, expect, test } from "vitest";
import { ServerStream } from "./serverstream.ts";

let sent: string[];
let read: string[];
let stream: ServerStream;

beforeEach(() => {
  sent = [];
  read = [];
  stream = new ServerStream(3, new Map(), {
    data: (id, bytes) => sent.push(`data ${id} ${bytes.toString()}`) > 0,
    fin: (id) => sent.push(`fin ${id}`),
    reset: (id) => sent.push(`reset ${id}`),
    whenDrained: () => {},
    forget: (id) => sent.push(`forget ${id}`),
  });
});

function take(): void {
  stream.read((part) => read.push(part?.toString() ?? "end"));
}

/** Whether the hand-over of this part is done by the end of the turn. */
async function taken(waiting: Promise<void> | undefined): Promise<boolean> {
  let done = waiting === undefined;
  void waiting?.then(() => (done = true));
  await Promise.resolve();
  return done;
}

describe("incoming data", () => {
  test("goes to who waits for it", async () => {
    take();
    expect(await taken(stream.offer(Buffer.from("a")))).toBe(true);
    expect(read).toEqual(["a"]);
  });

  test("waits for a reader", async () => {
    const waiting = stream.offer(Buffer.from("a"));
    expect(await taken(waiting)).toBe(false);
    take();
    expect(await taken(waiting)).toBe(true);
    expect(read).toEqual(["a"]);
  });

  test("ends once, for who waits and for who asks later", () => {
    take();
    stream.endInput();
    stream.endInput();
    take();
    expect(read).toEqual(["end", "end"]);
  });

  test("is thrown away behind its end", async () => {
    stream.endInput();
    expect(await taken(stream.offer(Buffer.from("late")))).toBe(true);
    take();
    expect(read).toEqual(["end"]);
  });

  test("that waits is freed by the server's reset, even when the client knows the end", async () => {
    const waiting = stream.offer(Buffer.from("a"));
    stream.close();
    stream.reset();
    expect(await taken(waiting)).toBe(true);
    expect(sent).toEqual(["fin 3", "forget 3"]);
  });

  test("that comes after the server's end waits for ever", async () => {
    stream.close();
    expect(await taken(stream.offer(Buffer.from("late")))).toBe(false);
  });
});

describe("the end", () => {
  test.each<[string, (() => void)[], string[]]>([
    [
      "by both is forgotten, client first",
      [() => stream.endInput(), () => stream.close()],
      ["fin 3", "forget 3"],
    ],
    [
      "by both is forgotten, server first",
      [() => stream.close(), () => stream.endInput()],
      ["fin 3", "forget 3"],
    ],
    ["by the server is told once", [() => stream.close(), () => stream.close()], ["fin 3"]],
    ["by the server's reset is told", [() => stream.reset()], ["forget 3", "reset 3"]],
    ["by the client's reset is not answered", [() => stream.abandon(), () => stream.close()], ["forget 3"]],
  ])("%s", (_name, acts, expected) => {
    for (const act of acts) act();
    expect([...new Set(sent)]).toEqual(expected);
  });

  test("by the client's reset is an end for who reads, and data still goes out", () => {
    take();
    stream.abandon();
    stream.write(Buffer.from("more"));
    expect(read).toEqual(["end"]);
    expect(sent).toContain("data 3 more");
  });
});
