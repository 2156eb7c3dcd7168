import { expect, inject, test } from "vitest";

test("the API answers", async () => {
  const answer = await fetch(inject("apiUrl"));
  expect(answer.ok).toBe(true);
});
