/** Makes the bench's own programs, written in TypeScript, something that any Node runs. */
import { join } from "node:path";
import { build } from "esbuild";

const PROGRAMS = join(import.meta.dirname, "..", "programs");

/** The text of a program that Node runs by `node -e`. */
export async function bundle(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(PROGRAMS, `${name}.ts`)],
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}
