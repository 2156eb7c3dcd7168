import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { diffText } from "./difftext.ts";

test("lines that changed stand between those around them; what is far away is left out", () => {
  const before = Array.from({ length: 12 }, (_, i) => `l${i}`).join("\n");
  const after = before.replace("l1\n", "L1\n").replace("l11", "L11");
  expect(diffText("f.yaml", `${before}\n`, `${after}\n`)).toEqual([
    ..."--- a/f.yaml|+++ b/f.yaml|@@ -1,5 +1,5 @@| l0|-l1|+L1| l2| l3| l4".split("|"),
    ..."@@ -9,4 +9,4 @@| l8| l9| l10|-l11|+L11".split("|"),
  ]);
});

test("nothing for what is the same", () => {
  expect(diffText("f", "a\nb\n", "a\nb\n")).toEqual([]);
});

test("git makes the second text of the first one by it, whatever changed", () => {
  const folder = mkdtempSync(join(tmpdir(), "kfwd-diff-"));
  const line = fc.constantFrom("a", "b", "c: 1");
  const lines = fc.array(fc.tuple(line, fc.boolean()), { minLength: 1, maxLength: 30 });
  try {
    fc.assert(
      fc.property(lines, fc.boolean(), (all, ends) => {
        const end = ends ? "\n" : "";
        const before = all.map(([text]) => text).join("\n") + end;
        const after = all.map(([text, changed]) => (changed ? `"${text}"` : text)).join("\n") + end;
        const diff = diffText("f", before, after);
        if (diff.length === 0) return;
        writeFileSync(join(folder, "f"), before);
        execFileSync("git", ["apply", "-"], { cwd: folder, input: `${diff.join("\n")}\n` });
        expect(readFileSync(join(folder, "f"), "utf8")).toBe(after);
      }),
      { numRuns: 30 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
