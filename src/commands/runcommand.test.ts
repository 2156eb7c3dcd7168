import { describe, expect, test } from "vitest";
import { requireCommand, splitRun } from "./runcommand.ts";

describe("a command line of run", () => {
  test.each([
    {
      line: "run api -e dev -- vitest run --json -- x",
      own: "run api -e dev",
      words: "vitest run --json -- x",
    },
    { line: "run -- true", own: "run", words: "true" },
    { line: "run vite", own: "run vite", words: undefined },
    { line: "up -- api", own: "up -- api", words: undefined },
    { line: "", own: "", words: undefined },
  ])('"$line" has "$own" and the command "$words"', ({ line, own, words }) => {
    const split = splitRun(line.split(" "));
    expect({ own: split.own.join(" "), words: split.words?.join(" ") }).toEqual({ own, words });
  });

  test.each([
    ["run", "kfwd run [name...] -- npm test"],
    ["run --", "kfwd run [name...] -- npm test"],
    ["run api --", "kfwd run [name...] -- npm test"],
    ["run -e dev vite", "kfwd run [name...] -- npm test"],
    ["run vite --port 3", "kfwd run -- vite --port 3"],
    ["run echo $x", "kfwd run -- echo '$x'"],
  ])('"%s" is refused, with what may be meant', (line, hint) => {
    const args = line.split(" ");
    expect(() => requireCommand(args, splitRun(args))).toThrow(
      expect.objectContaining({ code: "USAGE", hint }),
    );
  });

  test.each(["run -h", "run api --help", "run -- true", "up", "run -- ls --help"])('"%s" is not', (line) => {
    const args = line.split(" ");
    expect(() => requireCommand(args, splitRun(args))).not.toThrow();
  });
});
