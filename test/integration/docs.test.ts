import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { consoleBlocks, played } from "../rig/console.ts";

const README = new URL("../../README.md", import.meta.url);
const text = await readFile(README, "utf8");
const blocks = consoleBlocks(text);

/** Writes what comes out into the README instead, for a person to look at. */
const REWRITE = process.env["KFWD_REWRITE_DOCS"] === "1";

test("the README shows the command line", () => {
  expect(blocks.length).toBeGreaterThan(3);
  for (const block of blocks) expect(block.text).toMatch(/^\$ /);
});

test.concurrent.each(blocks)("the block at line $line of the README is what comes out", async (block) => {
  const shown = await played(block);
  if (REWRITE) return;
  expect(shown).toBe(block.text);
});

test.runIf(REWRITE)("rewrite", async () => {
  let whole = text;
  for (const block of blocks)
    whole = whole.replace(block.text, () => "\u0000").replace("\u0000", await played(block));
  await writeFile(README, whole);
});
