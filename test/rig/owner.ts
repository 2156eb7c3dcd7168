import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { claimProject, type Ownership } from "../../src/runtime/daemon/ownership.ts";
import { projectFiles, projectId } from "../../src/runtime/daemon/projectfiles.ts";
import type { ServedControl } from "../../src/runtime/deps.ts";
import { factsOf, never, realDeps } from "../fakes/lockfolder.ts";
import type { Project } from "./project.ts";

/** Makes this process the owner of a project, with a control of the test's. Whoever asked disposes it. */
export async function ownerOf(project: Project, control: ServedControl): Promise<Ownership> {
  const path = join(project.folder, "forwards.yaml");
  const id = projectId({ configPath: path, uid: process.geteuid?.(), explicitName: "" });
  const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
  await mkdir(run, { mode: 0o700, recursive: true });
  const request = {
    files: projectFiles(run, id),
    facts: factsOf({}),
    control,
    about: { project: "shop", config: { path, sha256: "" }, log: "", startedAt: "", mode: "detached" },
  } as const;
  const claimed = await claimProject(realDeps, request, never);
  if (claimed.kind !== "owned") throw new Error(`held: ${claimed.holder.kind}`);
  return claimed.ownership;
}
