import { expect, test } from "vitest";
import { KfwdError } from "../errors.ts";
import { telling, told } from "./told.ts";

test("an error says everything in its message, and keeps what programs ask for", () => {
  const place = { file: "forwards.yaml", line: 3, column: 5 };
  const error = told(
    new KfwdError("UNTRUSTED", "it is not trusted", { detail: "  it listens", hint: "read it", place }),
  );
  expect(error.message).toBe("it is not trusted\n  it listens\nhint: read it");
  expect(error).toMatchObject({ code: "UNTRUSTED", hint: "read it", detail: "  it listens", place, exit: 2 });
});

test("a hint that stands in the details is not said again", () => {
  const detail = "error: unknown key\nhint: remove it";
  expect(
    told(new KfwdError("CONFIG_INVALID", "a:1:1: unknown key", { detail, hint: "remove it" })).message,
  ).toBe(`a:1:1: unknown key\n${detail}`);
});

test("a bug keeps where it happened", () => {
  const bug = new TypeError("x is not a function");
  expect(told(bug)).toMatchObject({ code: "INTERNAL", cause: bug, exit: 70 });
  const known = new KfwdError("INTERNAL", "the supervisor did not start");
  expect(told(known).cause).toBe(known);
});

test("what throws at once is told, too", () => {
  expect(telling(() => 1)).toBe(1);
  const thrown = (): never => {
    throw new KfwdError("USAGE", "no", { hint: "yes" });
  };
  expect(() => telling(thrown)).toThrow("no\nhint: yes");
});
