import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitsDotenv, variablesText, type Shell } from "../../src/commands/render/shells.ts";

const HOSTILE: ReadonlyMap<string, string> = new Map([
  ["PLAIN", "http://localhost:8080/docs?a=1&b=2#x"],
  ["QUOTES", `it's "so" \`they\` said`],
  ["ENDS", "'"],
  ["DOLLAR", '$HOME ${HOME} $(touch pwned) `touch pwned` "$@" $$ %PATH%'],
  ["BACKSLASH", String.raw`\ \\ \n \' \" a\ `],
  ["SPACES", "  a  b\t "],
  ["TEXT", "one\ntwo\n\nfour\n"],
  ["MARKS", "!! * ? [a] {a,b} ~ ; & | < > ( ) # = ^ @"],
  ["UMLAUT", "é 漢 🚀 \u2018typographic\u2019"],
  ["EMPTY", ""],
]);

/** Prints its environment, and nothing that a shell could touch. */
const PRINT = "process.stdout.write(JSON.stringify(process.env))";

/** Programs that read what is written for a shell, and how they run a file. */
const RUNNERS: readonly (readonly [program: string, shell: Shell, flags: readonly string[], call: string])[] =
  [
    ["bash", "bash", ["--norc"], ""],
    ["dash", "bash", [], ""],
    ["zsh", "zsh", ["-f"], ""],
    ["fish", "fish", ["--no-config"], ""],
    ["pwsh", "pwsh", ["-NoProfile", "-File"], "& "],
  ];

function isThere(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** The environment that a program started from the script sees. */
function seenBy(
  program: string,
  flags: readonly string[],
  call: string,
  script: string,
): Readonly<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "kfwd-shell-"));
  try {
    writeFileSync(join(folder, "print.cjs"), PRINT);
    writeFileSync(join(folder, "script.ps1"), `${script}\n${call}'${process.execPath}' print.cjs\n`);
    const stdout = execFileSync(program, [...flags, "script.ps1"], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, LANG: "C.UTF-8" },
      encoding: "utf8",
    });
    return JSON.parse(stdout) as Record<string, string>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.each(RUNNERS)("%s", (program, shell, flags, call) => {
  test.skipIf(!isThere(program))("reads every value as it is", () => {
    const seen = seenBy(program, flags, call, variablesText(HOSTILE, shell, "EOF"));
    for (const [name, value] of HOSTILE) expect([name, seen[name]]).toEqual([name, value]);
  });

  test.skipIf(!isThere(program))("reads any value as it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary" }).filter(isPassable), { minLength: 20, maxLength: 40 }),
        (values) => {
          const variables = new Map(values.map((value, at) => [`V${at}`, value]));
          const seen = seenBy(program, flags, call, variablesText(variables, shell, "EOF"));
          for (const [name, value] of variables) expect([name, seen[name]]).toEqual([name, value]);
        },
      ),
      { numRuns: 5 },
    );
  });
});

/** No environment holds a NUL, nor half a character. */
function isPassable(value: string): boolean {
  return !/\0|\p{Cs}/u.test(value);
}

const FIT = new Map([...HOSTILE].filter(([, value]) => fitsDotenv(value)));

test("a .env is read back by Node, but for what has a single quote and a mark of shells, or a carriage return", () => {
  expect([...HOSTILE.keys()].filter((name) => !FIT.has(name))).toEqual(["QUOTES", "BACKSLASH"]);
  expect(parseEnv(variablesText(FIT, "dotenv", ""))).toEqual(Object.fromEntries(FIT));
});

test("a shell that sources a .env runs nothing of it, and reads the same", () => {
  const texts = fc.array(fc.string({ unit: "binary" }).filter(isPassable), { minLength: 20, maxLength: 40 });
  const values = [...FIT.values(), "it's", "it's (a) < b", ...fc.sample(texts, 5).flat().filter(fitsDotenv)];
  const variables = new Map(values.map((value, at) => [`V${at}`, value]));
  const seen = seenBy("dash", [], "", `set -a\n${variablesText(variables, "dotenv", "")}`);
  for (const [name, value] of variables) expect([name, seen[name]]).toEqual([name, value]);
});

test("GitHub's file has several lines between a delimiter", () => {
  const variables = new Map([
    ["ONE", "a=b"],
    ["TWO", "x\ny"],
  ]);
  expect(variablesText(variables, "github", "kfwd-1")).toBe("ONE=a=b\nTWO<<kfwd-1\nx\ny\nkfwd-1");
});

test("JSON is one document with a schema", () => {
  expect(JSON.parse(variablesText(HOSTILE, "json", ""))).toEqual({
    schema: "kfwd.env/1",
    variables: Object.fromEntries(HOSTILE),
  });
});
