/** What documents show of the command line: blocks of the language `console`, and the file that they speak of. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLI, Project } from "./project.ts";

/** A block: the forwards.yaml last shown above it, and its text. */
export interface ConsoleBlock {
  readonly line: number;
  readonly file: string;
  readonly text: string;
}

/** The console blocks of a document in Markdown. */
export function consoleBlocks(markdown: string): readonly ConsoleBlock[] {
  const blocks: ConsoleBlock[] = [];
  let file = "";
  for (const { index, 1: language, 2: text = "" } of markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)) {
    if (language === "yaml" && /^forwards:/m.test(text)) file = text;
    if (language === "console")
      blocks.push({ line: markdown.slice(0, index).split("\n").length, file, text });
  }
  return blocks;
}

/** The block as it comes out when its commands are run by a shell in a folder with the file, and no cluster. */
export async function played({ file, text }: ConsoleBlock): Promise<string> {
  await using project = await Project.create({ file });
  const programs = join(project.root, "bin");
  await mkdir(programs);
  await writeFile(join(programs, "kfwd"), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(programs, "kfwd"), 0o755);
  const env = { PATH: `${programs}:${project.env["PATH"]}`, SHELL: "/bin/bash" };
  let shown = "";
  for (const [, command = ""] of text.matchAll(/^\$ (.*)$/gm)) {
    const { stdout } = await project.exec("sh", ["-c", `{ ${command}\n} 2>&1`], { env }).ended;
    shown += `$ ${command}\n${stdout}`;
  }
  return shown;
}
