import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../rig/project.ts";

/** Longest a refusal may take on a busy machine; it takes a tenth of a second on an idle one. */
const PROMPT_MS = 5_000;

/** Files that are refused before anything is started. */
describe.concurrent("a file that cannot be used", () => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.create();
  });
  afterAll(() => project[Symbol.asyncDispose]());

  /** What `up -d` says of a file, which must be a prompt refusal in words, with nothing started. */
  async function refusal(args: readonly string[], options: { cwd?: string; stdin?: string } = {}) {
    const startedMs = performance.now();
    const { status, stdout, stderr } = await project.start(["up", "-d", ...args], options).ended;
    expect(performance.now() - startedMs).toBeLessThan(PROMPT_MS);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).not.toMatch(/^ +at /m); // a stack trace
    expect(existsSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toBe(false);
    return stderr;
  }

  async function refusalOf(name: string, text: string): Promise<string> {
    await project.write(text, name);
    return refusal(["-f", name]);
  }

  test.each([
    ["empty", "", `error: the file is empty\n  empty:1:1\nhint: forwards: { api: "8080:svc/api:http" }\n`],
    [
      "comment",
      "# soon\n",
      `error: the file is empty\n  comment:1:1\n > 1 | # soon\n     | ^\nhint: forwards: { api: "8080:svc/api:http" }\n`,
    ],
    [
      "tab",
      `forwards:\n\tapi: "8080:svc/api"\n`,
      `error: invalid YAML: tabs are not allowed as indentation\n  tab:2:1\n   1 | forwards:\n > 2 | →api: "8080:svc/api"\n     | ^\nhint: indent with spaces\n`,
    ],
    [
      "twice",
      `forwards:\n  api: "8080:svc/api"\n  api: "8081:svc/api"\n`,
      `error: key "api" stands twice in the same map\n  twice:3:3\n   2 |   api: "8080:svc/api"\n > 3 |   api: "8081:svc/api"\n     |   ^^^\n` +
        `  twice:2:3: the first one is here\n   1 | forwards:\n > 2 |   api: "8080:svc/api"\n     |   ^^^\n`,
    ],
    [
      "unknown",
      "forwards:\n  api:\n    target: svc/api\n    port: 80\n    prot: tcp\n",
      `error: unknown key "prot" in forward "api"\n  unknown:5:5\n   4 |     port: 80\n > 5 |     prot: tcp\n     |     ^^^^\nhint: did you mean "port" or "protocol"?\n`,
    ],
    [
      "merge",
      "forwards:\n  api:\n    target: svc/api\n    port: 80\n    <<: { local: auto }\n",
      `error: merge keys (<<) are not allowed\n  merge:5:5\n   4 |     port: 80\n > 5 |     <<: { local: auto }\n     |     ^^\nhint: write the keys out, or use "defaults"\n`,
    ],
    [
      "empty-local",
      `forwards:\n  api: ":svc/api:80"\n`,
      `error: forward "api": cannot read ":svc/api:80": the local port is empty\n  empty-local:2:9\n   1 | forwards:\n > 2 |   api: ":svc/api:80"\n     |         ^\nhint: write "auto:svc/api:80" for any free port\n`,
    ],
    [
      "escape",
      `forwards: { "\u001b[2J": 1 }\n`,
      `error: control character U+001B in the file\n  escape:1:14\n > 1 | forwards: { "\\u001b[2J": 1 }\n     |              ^^^^^^\n`,
    ],
  ])("%s: what, where, the line, and what to do", async (name, text, said) => {
    expect(await refusalOf(name, text)).toBe(said);
  });

  test("an alias: it and its anchor are shown", async () => {
    const said = await refusalOf("alias", "x-a: &a { port: 80 }\nforwards:\n  api: *a\n");
    expect(said).toContain(
      'error: YAML anchors are not allowed, got "&a"\n  alias:1:6\n > 1 | x-a: &a { port: 80 }\n     |      ^^\n',
    );
    expect(said).toContain(
      'error: YAML aliases are not allowed, got "*a"\n  alias:3:8\n   2 | forwards:\n > 3 |   api: *a\n     |        ^^\n',
    );
  });

  test("10 MB: the limit", async () => {
    expect(await refusalOf("large", "a: b\n".repeat(2_000_000))).toBe(
      "error: the file is larger than 256 KiB\n  large:1:1\n",
    );
  });

  test.each([
    ["brackets", "[".repeat(10_000), "1:65"],
    ["dashes", "- ".repeat(10_000), "1:129"],
  ])("10 000 levels of %s: the limit, and the line cut to what fits", async (name, text, place) => {
    const lines = (await refusalOf(name, text)).split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "error: the file is nested deeper than 64 levels",
      `  ${name}:${place}`,
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(120);
  });

  test("a hundred mistakes: ten in full, and how many more", async () => {
    const mistakes = Array.from({ length: 100 }, (_, index) => `  a${index}: { target: svc/a, prot: 1 }\n`);
    const said = await refusalOf("mistakes", `forwards:\n${mistakes.join("")}`);
    expect(said.match(/^error: unknown key "prot" in forward "a\d"$/gm)).toHaveLength(10);
    expect(said.match(/^ {2}mistakes:\d+:\d+$/gm)).toHaveLength(10);
    expect(said).toMatch(/\nand 90 more\n$/);
  });

  test("under --json each mistake is a line with its place", async () => {
    const said = await refusal(["--json", "-f", "-"], { stdin: "forwards: { a: 1, b: 2 }\n" });
    const errors = said
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(errors).toEqual(
      [16, 22].map((column) => ({
        error: {
          code: "KFWD_WRONG_TYPE",
          message: expect.any(String) as string,
          hint: expect.any(String) as string,
          file: "<stdin>",
          line: 1,
          column,
        },
      })),
    );
  });

  test("none: where it was looked for, and what to do", async () => {
    const home = project.env["HOME"] ?? "";
    const below = join(home, "a", "b");
    await mkdir(below, { recursive: true });
    await project.write("forwards: {}", "../forwards.yaml"); // beside the home folder, which the search does not leave
    expect(await refusal([], { cwd: below })).toBe(
      `error: no forwards.yaml in ${below} or its parents\nhint: write a forwards.yaml here, or name one with -f PATH\n`,
    );
  });

  test("-f with a path that leads to no file", async () => {
    expect(await refusal(["-f", "missing.yaml"])).toContain(
      `error: there is no file "${join(project.folder, "missing.yaml")}"\n`,
    );
    expect(await refusal(["-f", "."])).toBe(`error: cannot read "${project.folder}": it is a folder\n`);
    expect(await refusal(["-f", "/dev/zero"])).toBe(
      'error: cannot read "/dev/zero": it is no regular file\n',
    );
    const pipe = join(project.folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(await refusal(["-f", pipe])).toBe(`error: cannot read "${pipe}": it is no regular file\n`);
  });

  test("standard input that is empty", async () => {
    expect(await refusal(["-f", "-"], { stdin: "" })).toContain("error: the file is empty\n  <stdin>:1:1\n");
  });
});

describe("the README", () => {
  test("shows a mistake as it is shown", async () => {
    const block = (await readmeBlocks("")).find((text) => text.startsWith("error: "));
    const shown = /^ {2}\S+:(\d+):\d+$/m.exec(block ?? "");
    const lines = [...(block ?? "").matchAll(/^[ >]+(\d+) \| (.*)$/gm)];
    const [before] = lines;
    // The frame holds the last two lines of the file; what is above them is the least that makes them a forward's.
    const above = Number(before?.[1]) - 1;
    const head = ["name: shop", "namespace: shop", "forwards:", "  db:"].slice(-above);
    const file = [...head, ...lines.map(([, , text]) => text)].join("\n");
    expect(file.split("\n")).toHaveLength(Number(shown?.[1]));
    await using project = await Project.create({ file: `${file}\n` });
    expect((await project.run("up")).stderr).toBe(`${block}`);
  });

  test("has examples that are accepted", async () => {
    const files = (await readmeBlocks("yaml")).filter((text) => text.includes("forwards:"));
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      await using project = await Project.create({ file });
      await includedFiles(project.root);
      // There is no cluster to go on with.
      expect(await project.run("up", "-d")).toMatchObject({
        status: 4,
        stderr: expect.stringMatching(/kubeconfig|context/) as string,
      });
    }
  });

  /** What the examples include: a file of the repository around the project, and one of a package. */
  async function includedFiles(root: string): Promise<void> {
    const folders = { dns: join(root, "platform"), queue: join(root, "node_modules", "@acme", "ports") };
    for (const [name, folder] of Object.entries(folders)) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "forwards.yaml"), `forwards: { ${name}: "auto:svc/${name}:80" }\n`);
    }
    await mkdir(join(root, ".git"));
  }

  /** The fenced blocks of a language, without the fences. */
  async function readmeBlocks(language: string): Promise<readonly string[]> {
    const text = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
    return blocks.filter(([, of]) => of === language).map(([, , block]) => block ?? "");
  }
});
