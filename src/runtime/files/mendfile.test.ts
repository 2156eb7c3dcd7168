import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mendText, replaceFile } from "./mendfile.ts";

let folder: string;
let path: string;
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-mend-"));
  path = join(folder, "f.yaml");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("edits change their stretches and nothing else; mode and byte order mark stay", () => {
  const text = "\ufeffa: x\r\n# täglich 🚀\r\nb: y";
  writeFileSync(path, text);
  chmodSync(path, 0o640);
  const edits = [
    { start: 3, end: 4, text: '"x"' },
    { start: 23, end: 24, text: '"y"' },
  ];
  const { before, after } = mendText(path, hash(text), edits, folder);
  expect(before).toBe(text.slice(1));
  replaceFile(path, hash(text), after, folder);
  expect(readFileSync(path, "utf8")).toBe('\ufeffa: "x"\r\n# täglich 🚀\r\nb: "y"');
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(["f.yaml"]);
});

test("a file that has changed is left as it is", () => {
  writeFileSync(path, "new");
  expect(() => mendText(path, hash("old"), [], folder)).toThrow('"f.yaml" has changed since it was read');
  expect(() => replaceFile(path, hash("old"), "other", folder)).toThrow("has changed since it was read");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["f.yaml"]);
});

test("a file that is gone is told as one that cannot be read", () => {
  const gone = { code: "CONFIG_UNREADABLE", message: expect.stringContaining('"f.yaml"') as string };
  expect(() => mendText(path, hash(""), [], folder)).toThrow(expect.objectContaining(gone));
});
