import { expect, test } from "vitest";
import { parseCpuSeconds, parseKib } from "./procfs.ts";

test("CPU time is read past a program name with blanks and parentheses", () => {
  const stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 2263 0 3 0 150 25 7 9 20 0 11 0 99 1 2 3";
  expect(parseCpuSeconds(stat)).toBe(1.75);
});

test("a line that is cut short is refused", () => {
  expect(() => parseCpuSeconds("4711 (node) S 1 4711")).toThrow("cannot read CPU time");
});

test("memory is taken from the line of that name and no other", () => {
  const rollup = "Rss:   2000 kB\nPss:   1000 kB\nPss_Anon:  700 kB\n";
  expect(parseKib(rollup, "Pss")).toBeCloseTo(1.024);
  expect(() => parseKib(rollup, "VmRSS")).toThrow('no line "VmRSS"');
});
