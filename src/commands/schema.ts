/** `kfwd schema`: the JSON Schema of forwards.yaml, for editors and other tools. */
import { readFile } from "node:fs/promises";
import { Output } from "./output.ts";
import type { SharedFlags, World } from "./world.ts";

export async function schema(world: World, flags: SharedFlags): Promise<number> {
  const text = await readFile(world.schemaFile, "utf8"); // part of the package: without it, that is broken
  new Output(world, flags).data(text.trimEnd());
  return 0;
}
