import { expect, test } from "vitest";
import { printable } from "./plugin.ts";

test.each([
  {
    name: "over several lines",
    words: "-----BEGIN PRIVATE KEY-----\nMIIEhunter2\nhunter2==\n-----END PRIVATE KEY-----",
  },
  { name: "where a line is cut", words: `${"x".repeat(280)} https://ann:hunter2hunter2@proxy/` },
  { name: "with an escape sequence in it", words: "pass\u001b[1mword=hunter2hunter2" },
])("a secret in a plugin's words is hidden $name", ({ words }) => {
  expect(printable(`cannot log in\n${words}\nbye`).join("\n")).not.toContain("hunter2");
});

test("of a plugin that talks much the last lines are told", () => {
  const lines = printable(
    `${"much ".repeat(10_000)}\n${"said\n".repeat(20)}\u001b[31mlog in\u001b[0m again\u0007\n`,
  );
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe("log in again");
});
