import { inspect } from "node:util";
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

test("nothing of the options or of a file reaches a terminal as more than text", () => {
  const evil = "a\u001b[2Jb\u202e";
  const missing = Object.assign(new Error(`ENOENT: no such file, open '${evil}'`), { code: "ENOENT" });
  const error = told(
    new KfwdError("CONFIG_NOT_FOUND", `there is no file "${evil}\n"`, {
      detail: `  first: ${evil}\n  second`,
      hint: `--file ${evil}`,
      cause: missing,
    }),
  );
  const text = String.raw`a\u001b[2Jb\u202e`;
  const detail = `  first: ${text}\n  second`;
  expect(error.message).toBe(
    `there is no file "${text}${String.raw`\u000a`}"\n${detail}\nhint: --file ${text}`,
  );
  expect([error.hint, error.detail]).toEqual([`--file ${text}`, detail]);
  // oxlint-disable-next-line no-control-regex
  expect(inspect(error)).not.toMatch(/[\u001b\u202e]/);
  expect(error.cause).toMatchObject({ name: "Error", message: `ENOENT: no such file, open '${text}'` });
});

test("a cause with nothing in it that must be hidden is the one that was thrown", () => {
  const cause = new Error("first\n  second");
  expect(told(new KfwdError("USAGE", "no", { cause })).cause).toBe(cause);
});

test("causes that go in a circle end somewhere", () => {
  const cause = new Error("first");
  cause.cause = cause;
  expect(told(new KfwdError("USAGE", "no", { cause })).message).toContain("no");
});

test("what is told already is not told again", () => {
  const once = told(new KfwdError("USAGE", "no", { detail: "  because", hint: "yes" }));
  expect(told(once)).toBe(once);
});
