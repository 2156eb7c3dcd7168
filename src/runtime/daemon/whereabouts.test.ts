import { describe, expect, test } from "vitest";
import { homeFolder, workingFolder } from "./whereabouts.ts";

const fail = (): string => {
  throw new Error("ENOENT");
};

describe("the working folder", () => {
  test.each([
    ["is what the system says", { PWD: "/b" }, () => "/a", "/a"],
    ["that was removed is what the shell calls it", { PWD: "/b" }, fail, "/b"],
    ["that was removed, in a relative PWD", { PWD: "b" }, fail, "/"],
    ["that was removed, without PWD", {}, fail, "/"],
  ])("%s", (_, env, ask, wanted) => {
    expect(workingFolder(env, ask)).toBe(wanted);
  });
});

describe("the home folder", () => {
  test.each([
    ["is what the system says", () => "/home/ann", "/home/ann"],
    ["of a user who has none", fail, "/"],
    ["that HOME sets to nothing", () => "", "/"],
    ["that HOME sets to a relative path", () => "ann", "/"],
  ])("%s", (_, ask, wanted) => {
    expect(homeFolder(ask)).toBe(wanted);
  });

  test("of this process is absolute", () => {
    expect(homeFolder()).toMatch(/^\//);
  });
});
