import { expect, test } from "vitest";
import { frameOver } from "./frame.ts";

test("a frame takes the place of the one before, and leaves nothing of it", () => {
  const first = frameOver(0, "a\nb", 24);
  expect(first).toEqual({ text: "\u001b[?7la\u001b[K\nb\u001b[K\n\u001b[J\u001b[?7h", lines: 2 });
  expect(frameOver(2, "c", 24)).toEqual({
    text: "\u001b[?7l\u001b[2A\rc\u001b[K\n\u001b[J\u001b[?7h",
    lines: 1,
  });
});

test("what would scroll away is left out and counted", () => {
  const { text, lines } = frameOver(0, "1\n2\n3\n4\n5\n6", 5);
  expect(lines).toBe(4);
  expect(text).toContain("3\u001b[K\n… 3 more lines\u001b[K\n");
  expect(frameOver(0, "1\n2", 1).lines).toBe(1);
});
