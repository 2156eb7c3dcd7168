import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { within } from "../rig/client.ts";
import { Project } from "../rig/project.ts";

/** The first thing that someone runs who has no cluster at hand. */
describe("`kfwd demo`", () => {
  /** A folder for temporary files, and the demo's environment: what it needs of the user's is not there. */
  async function places(project: Project) {
    const temporary = join(project.root, "tmp");
    await mkdir(temporary);
    return { temporary, env: { TMPDIR: temporary, HOME: "/nonexistent", KUBECONFIG: "/nonexistent" } };
  }

  test("shows it all, and leaves nothing behind", async () => {
    await using project = await Project.create();
    const { temporary, env } = await places(project);
    const { status, stdout, stderr } = await within(project.start(["demo"], { env }).ended);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^ {4}kfwd: ready 3\/3$/m);
    expect(stdout).toMatch(/^ {4}\d+ requests answered, 0 failed; answered by api-\S+, then api-\S+$/m);
    expect(stdout).toMatch(
      /^ {4}NAME +LOCAL .*\n {4}web .* ready .*\n {4}api .* ready .*\n {4}db .* ready /m,
    );
    expect(stdout).toMatch(/^ {4}3 forwards stopped \(\d\.\ds\)$/m);
    expect(readdirSync(temporary)).toEqual([]);
    expect(existsSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toBe(false);
  });

  test("is ended by a signal in its middle with all that it started", async () => {
    await using project = await Project.create();
    const { temporary, env } = await places(project);
    const demo = project.start(["demo"], { env });
    await demo.says(/kfwd: ready 3\/3/);
    demo.kill("SIGINT");
    expect((await within(demo.ended)).status).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("without a folder for temporary files: which, and what to do", async () => {
    await using project = await Project.create();
    const missing = join(project.root, "missing");
    expect(await project.start(["demo"], { env: { TMPDIR: missing } }).ended).toMatchObject({
      status: 5,
      stdout: "",
      stderr: `error: cannot make a folder in "${missing}": no such file or folder\nhint: name another folder for temporary files with TMPDIR\n`,
    });
  });
});
