import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configFromText, findConfig, hashOfFile, projectNameOf, readConfig } from "./configfile.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "kfwd-config-")));
  mkdirSync(join(root, "home/work/shop/src"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);

describe("finding the file", () => {
  const search = (cwd: string) => ({ cwd: at(cwd), home: at("home") });

  test("looks in the folder, then upwards", () => {
    writeFileSync(at("home/work/forwards.yaml"), "");
    expect(findConfig(search("home/work/shop/src"), undefined)).toBe(at("home/work/forwards.yaml"));
    writeFileSync(at("home/work/shop/kfwd.yml"), "");
    expect(findConfig(search("home/work/shop/src"), undefined)).toBe(at("home/work/shop/kfwd.yml"));
  });

  test("prefers forwards.yaml among several", () => {
    for (const name of ["kfwd.yaml", "forwards.yml", "forwards.yaml"]) writeFileSync(at(`home/${name}`), "");
    expect(findConfig(search("home"), undefined)).toBe(at("home/forwards.yaml"));
  });

  test("does not look above the home folder", () => {
    writeFileSync(at("forwards.yaml"), "");
    expect(() => findConfig(search("home/work"), undefined)).toThrow(
      `no forwards.yaml in ${at("home/work")}`,
    );
  });

  test("stops at one that cannot be read, which reading tells", () => {
    symlinkSync(at("home/work/forwards.yaml"), at("home/work/forwards.yaml"));
    writeFileSync(at("home/forwards.yaml"), "");
    expect(findConfig(search("home/work"), undefined)).toBe(at("home/work/forwards.yaml"));
    expect(() => readConfig(at("home/work/forwards.yaml"), root)).toThrow(
      expect.objectContaining({
        code: "CONFIG_UNREADABLE",
        message: expect.stringContaining("its symbolic links lead in a circle") as string,
      }) as Error,
    );
  });

  test("takes a named file as it is", () => {
    expect(findConfig(search("home/work"), "../other.yaml")).toBe(at("home/other.yaml"));
  });
});

describe("reading it", () => {
  test("names it as the user sees it, and resolves symlinks for what it means", () => {
    writeFileSync(at("home/work/shop/forwards.yaml"), "forwards: {}\n");
    symlinkSync(at("home/work/shop"), at("link"));
    const config = readConfig(at("link/forwards.yaml"), at("link"));
    expect(config).toMatchObject({
      path: at("home/work/shop/forwards.yaml"),
      folder: at("home/work/shop"),
      shownAs: "forwards.yaml",
      text: "forwards: {}\n",
    });
    expect(config.sha256).toBe(hashOfFile(at("home/work/shop/forwards.yaml")));
  });

  test.each<[string, (path: string) => void, string, string]>([
    ["missing", () => {}, "CONFIG_NOT_FOUND", "there is no file"],
    ["a folder", (path) => mkdirSync(path), "CONFIG_UNREADABLE", "it is a folder"],
    ["a FIFO", (path) => void execFileSync("mkfifo", [path]), "CONFIG_UNREADABLE", "it is no regular file"],
    ["a device", (path) => symlinkSync("/dev/zero", path), "CONFIG_UNREADABLE", "it is no regular file"],
  ])("says what is wrong when it is %s", (_name, make, code, words) => {
    make(at("x.yaml"));
    expect(() => readConfig(at("x.yaml"), root)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) as string }) as Error,
    );
  });

  test.skipIf(process.getuid?.() === 0)("says that it may not be read", () => {
    writeFileSync(at("x.yaml"), "");
    chmodSync(at("x.yaml"), 0);
    expect(() => readConfig(at("x.yaml"), root)).toThrow("permission denied");
  });

  test("reads no more of a huge file than is needed to refuse it", () => {
    writeFileSync(at("x.yaml"), Buffer.alloc(10 << 20, "a"));
    expect(readConfig(at("x.yaml"), root).text.length).toBeLessThan(1 << 20);
  });

  test("of standard input stands for the folder", () => {
    expect(configFromText("a", "/work")).toMatchObject({ path: null, shownAs: "<stdin>", folder: "/work" });
  });
});

test.each([
  ["/home/ann/My Shop", "my-shop"],
  ["/home/ann/_x", "x"],
  ["/", "default"],
  ["/home/ann/日本", "default"],
  [`/home/${"a".repeat(100)}`, "a".repeat(63)],
])("a project in %s is called %s", (folder, name) => {
  expect(projectNameOf(folder)).toBe(name);
});
