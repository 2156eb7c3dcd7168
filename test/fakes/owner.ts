/** Puppets that own a project, for tests that need a supervisor in another process. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import type { ProjectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { bundlePuppet } from "../puppets/bundle.ts";

/** Starts an owner of a project and resolves when it owns it; it is killed with the test. */
export type StartOwner = (files: ProjectFiles, manner?: "orderly" | "deaf" | "hung") => Promise<ChildProcess>;

/** To be called at the top of a describe or a file. */
export function ownerPuppet(): StartOwner {
  let folder = "";
  let program = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "kfwd-puppet-"));
    program = await bundlePuppet("owner", folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return async (files, manner = "orderly") => {
    const child = fork(program, [dirname(files.folder), files.id, manner], { stdio: "ignore" });
    onTestFinished(() => end(child));
    const [kind] = (await once(child, "message")) as [string];
    if (kind !== "owned") throw new Error(`the puppet got ${kind}`);
    return child;
  };
}

/** Kills a child and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
