import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { within } from "../rig/client.ts";
import { Project } from "../rig/project.ts";

/** Later ones keep compiled code by themselves, elsewhere. */
const IS_NODE_20 = process.versions.node.startsWith("20.");

/** Where the command keeps what V8 has compiled: a help to the next run, never a condition of this one. */
describe.concurrent("the folder of compiled code", () => {
  test.runIf(IS_NODE_20)("is made for us alone, with its parent, and is filled", async () => {
    await using project = await Project.create();
    const cache = join(project.root, "cache");
    const { status } = await within(project.start(["help"], { env: { XDG_CACHE_HOME: cache } }).ended);
    expect(status).toBe(0);
    for (const folder of [cache, join(cache, "kfwd")]) expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(cache, "kfwd"))).toEqual([expect.stringMatching(/^cli\.cjs-v20/)]);
  });

  test.each([
    ["in a file system that takes no folders", () => ({ XDG_CACHE_HOME: "/proc/kfwd" })],
    ["in a home folder that is not there", () => ({ XDG_CACHE_HOME: undefined, HOME: "/proc/kfwd" })],
    ["below a file", (file: string) => ({ XDG_CACHE_HOME: file })],
  ])("%s: commands do without, at once", async (_, envWith) => {
    await using project = await Project.create();
    const file = join(project.root, "file");
    writeFileSync(file, "");
    const before = readdirSync(project.root);
    const env = envWith(file);
    const version = project.start(["--version"], { env });
    const status = project.start(["status"], { env });
    expect(await within(version.ended)).toMatchObject({ status: 0, stderr: "" });
    expect(await within(status.ended)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: no forwards\.yaml in /) as string,
    });
    expect(readdirSync(project.root)).toEqual(before);
  });
});
