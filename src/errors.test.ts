import { describe, expect, test } from "vitest";
import { ERRORS, KfwdError, recordCode } from "./errors.ts";

class Special extends KfwdError {}

describe("KfwdError", () => {
  test("carries the hint and exit status of its code", () => {
    const error = new KfwdError("NOT_RUNNING", "nothing is running");
    expect([error.exit, error.hint, error.reasonCode]).toEqual([3, "kfwd up", "NotRunning"]);
    expect(new KfwdError("NOT_RUNNING", "x", { hint: "another" }).hint).toBe("another");
  });

  test("survives the way over the control socket", () => {
    const place = { file: "forwards.yaml", line: 4, column: 3 };
    const error = new KfwdError("CONTEXT_UNKNOWN", `context "x" not found`, { hint: "contexts: a", place });
    const back = KfwdError.fromRecord(error.toRecord());
    expect([back.code, back.message, back.hint, back.exit, back.place]).toEqual([
      error.code,
      error.message,
      error.hint,
      4,
      place,
    ]);
  });

  test("of a code that only a later version knows is a bug here, with its words kept", () => {
    const back = KfwdError.fromRecord({ code: "KFWD_TIME_TRAVEL", message: "too early" });
    expect([back.code, back.message]).toEqual(["INTERNAL", "too early"]);
    expect(KfwdError.fromRecord({ code: "KFWD_toString", message: "x" }).code).toBe("INTERNAL");
  });

  test("is recognised when it was made by another copy of this file", async () => {
    const copy = (await import(`${import.meta.url}?copy`.replace("errors.test.ts", "errors.ts"))) as {
      KfwdError: typeof KfwdError;
    };
    const foreign = new copy.KfwdError("PORT_BUSY", "in use");
    expect(copy.KfwdError).not.toBe(KfwdError);
    expect(foreign instanceof KfwdError).toBe(true);
    expect(KfwdError.from(foreign).exit).toBe(5);
  });

  test("does not take other errors, nor a subclass any error, for one of its kind", () => {
    const plain = new KfwdError("USAGE", "x");
    expect([new Error("x") instanceof KfwdError, {} instanceof KfwdError]).toEqual([false, false]);
    expect([plain instanceof Special, new Special("USAGE", "x") instanceof Special]).toEqual([false, true]);
  });

  test("makes whatever was thrown one of its own", () => {
    const thrown = new TypeError("undefined is not a function");
    expect(KfwdError.from(thrown)).toMatchObject({ code: "INTERNAL", cause: thrown });
    expect(KfwdError.from("text").message).toBe("internal error: text");
  });
});

test("every code is in capitals, and in PascalCase as a reason", () => {
  for (const code of Object.keys(ERRORS)) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  const errors = [
    new KfwdError("PORT_BUSY", "x"),
    new KfwdError("NODE_TOO_OLD", "x"),
    new KfwdError("INTERNAL", "x"),
  ];
  expect(errors.map(({ reasonCode }) => reasonCode)).toEqual(["PortBusy", "NodeTooOld", "Internal"]);
  const codes = errors.map(({ reasonCode }) => recordCode(reasonCode));
  expect(codes).toEqual(errors.map((error) => error.toRecord().code));
});

test("every code has one of the exit statuses that are documented", () => {
  const ofRun = [125, 126, 127]; // as `docker run` has them
  for (const { exit } of Object.values(ERRORS)) expect([1, 2, 3, 4, 5, 70, ...ofRun]).toContain(exit);
});
