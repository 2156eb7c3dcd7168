/** What docs/recipes.md shows, in a project in which kfwd is installed as npm does it. */
import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { World } from "../behaviour/world.ts";
import { freePort } from "./freeport.ts";
import { CLI, Project } from "./project.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RECIPES = await readFile(join(ROOT, "docs", "recipes.md"), "utf8");

/** The first block of the language under the heading, in which the heading may be the start of one. */
export function recipe(heading: string, language: string, nth = 0): string {
  const section = RECIPES.split(/^(?=## )/m).find((part) => part.startsWith(`## ${heading}`)) ?? "";
  const blocks = [...(heading === "" ? RECIPES : section).matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  const texts = blocks.filter(([, name]) => name === language).map(([, , text = ""]) => text);
  const text = texts[nth];
  if (text === undefined) throw new Error(`docs/recipes.md has no ${language} under "${heading}"`);
  return text;
}

/** What is missing on this machine for these programs, to follow the name of a test; empty: nothing. */
export function lackOf(...programs: readonly string[]): string {
  const missing = programs.filter((program) => {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`]);
      return false;
    } catch {
      return true;
    }
  });
  return missing.length === 0 ? "" : ` (left out: there is no ${missing.join(", no ")})`;
}

/** The project of the recipes, on ports of its own. */
export interface RecipeProject extends AsyncDisposable {
  readonly project: Project;
  readonly apiPort: number;
  /** A recipe, with these ports in place of the ones it shows. */
  readonly fit: (text: string) => string;
  /** Programs find kfwd as in a script of npm. */
  readonly env: Readonly<Record<string, string>>;
}

/** The namespace must have been prepared by {@link prepareShop}. */
export async function recipeProject(world: World): Promise<RecipeProject> {
  const [apiPort, dbPort] = [await freePort(), await freePort()];
  const fit = (text: string): string => text.replaceAll("8080", String(apiPort));
  const file = fit(recipe("", "yaml")).replace("port: 5432,", `port: 5432, local: ${dbPort},`);
  const project = await Project.create({ kubeconfig: world.kubeconfig("admin"), file });
  const bin = join(project.folder, "node_modules", ".bin");
  await mkdir(bin, { recursive: true });
  await symlink(CLI, join(bin, "kfwd"));
  for (const name of ["concurrently", "start-server-and-test"]) {
    await symlink(join(ROOT, "node_modules", ".bin", name), join(bin, name));
  }
  const call = 'const { execFileSync } = require("node:child_process");';
  await writeFile(
    join(project.folder, "api.test.js"),
    `${call}\nrequire("node:test")("the api answers", async () => {
      const url = execFileSync("kfwd", ["url", "api"], { encoding: "utf8" }).trim();
      const { status } = await fetch(url);
      if (status !== 200) throw new Error(String(status));
      require("node:fs").writeFileSync("asked", url);
    });\n`,
  );
  // What stands for the program that is being developed: it needs the api, and ends by itself.
  await writeFile(
    join(project.folder, "server.js"),
    `${call}\nconst url = execFileSync("kfwd", ["url", "api"], { encoding: "utf8" }).trim();
    fetch(url).then((answer) => answer.text()).then((text) => console.log("served", text));\n`,
  );
  return {
    project,
    apiPort,
    fit,
    env: { PATH: `${bin}:${project.env["PATH"]}`, npm_config_update_notifier: "false", SHELL: "/bin/bash" },
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}
