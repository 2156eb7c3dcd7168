import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { currentContextOf } from "./kubefacts.ts";

describe("the current context of a kubeconfig", () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "kfwd-kubefacts-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  function contextIn(...texts: string[]): string | undefined {
    return currentContextOf(
      texts.map((text, index) => {
        const path = join(folder, String(index));
        writeFileSync(path, text);
        return path;
      }),
    );
  }

  test.each([
    ["plain", "apiVersion: v1\ncurrent-context: prod\nkind: Config\n"],
    ["with a comment behind it", "current-context: prod # mine\n"],
    ["after a comment", "# current-context: dev\ncurrent-context: prod\n"],
    ["in quotes", 'current-context: "prod"\n'],
    ["in single quotes, with carriage returns", "kind: Config\r\ncurrent-context: 'prod'\r\n"],
    ["as JSON", '{"kind":"Config","current-context":"prod","contexts":[]}'],
    ["with escapes", String.raw`{"current-context":"p\u0072od"}`],
    ["folded", "current-context: >-\n  prod\n"],
    ["with a tag", "current-context: !!str prod\n"],
    ["by an anchor", "x: &name prod\ncurrent-context: *name\n"],
    ["with a namesake elsewhere", "extensions:\n  current-context: dev\ncurrent-context: prod\n"],
    ["with the words in a text", 'note: "\n  current-context: dev"\ncurrent-context: prod\n'],
  ])("%s", (_how, text) => {
    expect(contextIn(text)).toBe("prod");
  });

  test.each(["a#b", "a,b", "arn:aws:eks:eu:1:cluster/prod", "a}b"])("is called %s", (name) => {
    expect(contextIn(`current-context: ${name}\n`)).toBe(name);
  });

  test("may stand on two lines", () => {
    expect(contextIn("current-context: my\n  prod\n")).toBe("my prod");
  });

  test("is that of the first file which names one", () => {
    expect(contextIn("kind: Config\n", 'current-context: ""\n', "current-context: prod\n")).toBe("prod");
    expect(contextIn("current-context: prod\n", "current-context: dev\n")).toBe("prod");
    expect(contextIn("kind: Config\n", "{{{")).toBeUndefined();
  });
});
