/** Makes a puppet, written in TypeScript beside this file, a program that any supported Node runs. */
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const mortalFs: Plugin = {
  name: "mortal-fs",
  setup({ onResolve }) {
    onResolve({ filter: /^node:fs$/ }, ({ importer }) =>
      importer.includes("/src/runtime/daemon/") ? { path: join(import.meta.dirname, "mortalfs.ts") } : null,
    );
  },
};

/** The path of the program, in `folder`. With `mortal` the lock's file calls may kill it: see mortalfs.ts. */
export async function bundlePuppet(
  name: string,
  folder: string,
  mortal: "mortal" | "sound" = "sound",
): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    plugins: mortal === "mortal" ? [mortalFs] : [],
    logLevel: "silent",
  });
  return outfile;
}
