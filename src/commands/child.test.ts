import { expect, test } from "vitest";
import { isForeground } from "./child.ts";

test.each([
  {
    name: "in the foreground of a terminal",
    stat: "12 (node) S 1 12 9 34816 12 4194304 0",
    foreground: true,
  },
  { name: "in the background of one", stat: "12 (node) S 1 12 9 34816 99 4194304 0", foreground: false },
  { name: "without a terminal", stat: "12 (node) S 1 12 9 0 -1 4194304 0", foreground: false },
  {
    name: "with a name that looks like fields",
    stat: "12 (a) R 1 (b) S 1 7 9 34816 7 4194304",
    foreground: true,
  },
  { name: "of no known form", stat: "", foreground: false },
])("a process $name", ({ stat, foreground }) => {
  expect(isForeground(stat)).toBe(foreground);
});
