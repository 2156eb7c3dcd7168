import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeReply, decodeRequest, encodeLine, overlaps, proofText } from "./control.ts";

describe("requests", () => {
  test("are one line of JSON", () => {
    const line = encodeLine({ id: 1, method: "stop", params: { names: null, drainMs: 5 } });
    expect(line).toBe('{"id":1,"method":"stop","params":{"names":null,"drainMs":5}}\n');
    expect(decodeRequest(line)).toEqual({ id: 1, method: "stop", params: { names: null, drainMs: 5 } });
  });

  test("may have fields and methods that this version does not know", () => {
    expect(decodeRequest('{"id":2,"method":"dance","mood":"good"}')).toEqual({
      id: 2,
      method: "dance",
      params: undefined,
    });
  });

  test.each(["", "{", "null", "[]", '"hello"', '{"method":"ping"}', '{"id":-1,"method":"ping"}', '{"id":1}'])(
    "%j is none",
    (line) => expect(decodeRequest(line)).toBeUndefined(),
  );
});

describe("replies", () => {
  const error = { code: "KFWD_USAGE", message: "no", hint: "yes" };
  test.each([
    {
      name: "a result",
      line: encodeLine({ id: 1, result: { a: 1 } }),
      wanted: { kind: "result", id: 1, result: { a: 1 } },
    },
    { name: "a refusal", line: encodeLine({ id: 1, error }), wanted: { kind: "error", id: 1, error } },
    {
      name: "an event",
      line: encodeLine({ id: 1, event: { type: "x" } }),
      wanted: { kind: "event", id: 1, event: { type: "x" } },
    },
  ])("$name comes back", ({ line, wanted }) => expect(decodeReply(line)).toEqual(wanted));

  test.each(["", "{}", '{"id":1}', '{"result":{}}', '{"id":1,"error":"no"}'])("%j is none", (line) =>
    expect(decodeReply(line)).toBeUndefined(),
  );

  test("never throw, whatever the line", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        decodeReply(line);
        decodeRequest(line);
      }),
    );
  });
});

describe("protocol ranges", () => {
  test.each([
    { a: [1, 1], b: [1, 1], wanted: true },
    { a: [1, 3], b: [3, 5], wanted: true },
    { a: [3, 5], b: [1, 3], wanted: true },
    { a: [1, 2], b: [3, 5], wanted: false },
    { a: [3, 5], b: [1, 2], wanted: false },
  ])("$a and $b overlap: $wanted", ({ a, b, wanted }) => {
    expect(overlaps({ min: a[0]!, max: a[1]! }, { min: b[0]!, max: b[1]! })).toBe(wanted);
  });
});

test("the two sides prove different texts, so that neither can send the other's proof back", () => {
  expect(proofText("client", "c")).toBe("client:c");
  expect(proofText("server", "c")).toBe("server:c");
});
