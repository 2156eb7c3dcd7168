import { expect, test } from "vitest";
import { KfwdError } from "../../errors.ts";
import { errorJson } from "./errortext.ts";

test("an error as JSON has nothing in it that a terminal could obey, and says the same", () => {
  const message = 'cannot be "\u202e\u001b[2J\u009b\u200b"';
  const text = errorJson(new KfwdError("USAGE", message));
  expect(text).toMatch(/^[\u0020-\u007e]+$/);
  expect(JSON.parse(text)).toMatchObject({ error: { message } });
});
