import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Output, type Streams } from "./output.ts";

test("JSON has nothing in it that a terminal could obey, and says the same", () => {
  let written = "";
  const stdout = new PassThrough().on("data", (chunk: unknown) => (written += String(chunk)));
  const streams: unknown = { stdout, stderr: new PassThrough(), env: {} };
  const value = { description: "\u202e\u001b[2J\u009b\u200b" };
  new Output(streams as Streams, { json: true, color: "auto" }).json(value);
  expect(written).toMatch(/^[\u0020-\u007e]+\n$/);
  expect(JSON.parse(written)).toEqual(value);
});
