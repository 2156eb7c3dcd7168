import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { expect, vi } from "vitest";
import type { Project, Running, StartOptions } from "./project.ts";

const PACKAGE = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Makes `import "kfwd"` find the built library in a project's folder, as after `npm install`. */
export async function installIn(project: Project): Promise<void> {
  await mkdir(join(project.folder, "node_modules"), { recursive: true });
  await symlink(PACKAGE, join(project.folder, "node_modules", "kfwd"), "dir");
}

let count = 0;

/**
 * Starts a program in the project's folder that has `up`, `KfwdError`, `say` (a line on standard output, objects as JSON) and
 * `about`, what of an error is promised.
 */
export async function program(
  project: Project,
  text: string,
  options: StartOptions & { readonly nodeOptions?: readonly string[] } = {},
): Promise<Running> {
  const path = join(project.folder, `program-${++count}.mjs`);
  const head = `import { KfwdError, up } from "kfwd";
const say = (what) => console.log(typeof what === "string" ? what : JSON.stringify(what));
const about = ({ code, message, hint, exit }) => ({ code, message, hint, exit });
`;
  const { code } = await transform(`${head}${text}`, { loader: "js", target: "node20" }); // it knows no `using`
  await writeFile(path, code);
  return project.exec(process.execPath, [...(options.nodeOptions ?? []), path], options);
}

/** A program has ended; its supervisor does when it has seen that. */
export async function nothingRuns(project: Project): Promise<void> {
  await vi.waitFor(() => expect(project.processes()).toEqual([]), { timeout: 30_000, interval: 50 });
  expect(() => project.lockPath).toThrow("none");
}
