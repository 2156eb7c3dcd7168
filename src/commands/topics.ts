/** What `kfwd help` explains besides commands. */
import { readFile } from "node:fs/promises";
import * as z from "zod/mini";
import { EXIT_STATUSES } from "./exitstatuses.ts";
import { VARIABLES } from "./variables.ts";
import type { TopicName } from "./topicnames.ts";
import type { World } from "./world.ts";

const WIDTH = 80;

/** The text of a topic, without a last line break. */
export async function topic(world: World, name: TopicName): Promise<string> {
  switch (name) {
    case "exit-codes":
      return exitStatuses();
    case "environment":
      return environment();
    case "file":
      return fileReference(await readFile(world.schemaFile, "utf8"));
  }
}

function exitStatuses(): string {
  const seen = "Errors under --json have a code, too: KFWD_PORT_BUSY, KFWD_NOT_RUNNING, …";
  return ["Exit status:", ...rows(EXIT_STATUSES), "", seen].join("\n");
}

function environment(): string {
  const groups = VARIABLES.flatMap(([heading, variables]) => [
    heading,
    ...rows(variables.map(([names, meaning]) => [names.join(", "), meaning])),
    "",
  ]);
  const own =
    "${NAME} in forwards.yaml takes any variable of the environment, then of .env\nbeside the file; `kfwd config --variables` lists them.";
  return [...groups, own].join("\n");
}

/** What is read of the JSON Schema: as much as has words for people. */
const described = z.object({ description: z.optional(z.string()) });
const forwardsSchema = z.object({
  properties: z.intersection(
    z.record(z.string(), described),
    z.object({
      forwards: z.object({
        additionalProperties: z.object({
          anyOf: z.array(
            z.object({
              description: z.optional(z.string()),
              examples: z.optional(z.array(z.string())),
              properties: z.optional(z.record(z.string(), described)),
            }),
          ),
        }),
      }),
    }),
  ),
});

function fileReference(schemaText: string): string {
  const { properties } = z.parse(forwardsSchema, JSON.parse(schemaText));
  const forms = properties.forwards.additionalProperties.anyOf;
  const line = forms.find(({ examples }) => examples !== undefined);
  const map = forms.find((form) => form.properties !== undefined);
  return [
    "forwards.yaml is looked for in this folder and above; so are forwards.yml,",
    "kfwd.yaml and kfwd.yml.",
    "",
    "At the top:",
    ...rows(descriptionsOf(properties)),
    "",
    ...wrapped(line?.description ?? "", WIDTH),
    ...(line?.examples ?? []).map((example) => `  name: "${example}"`),
    "",
    "A forward as a map:",
    ...rows(descriptionsOf(map?.properties ?? {})),
    "",
    "Keys that begin with x- are yours. `kfwd schema` prints all there is, `kfwd",
    "check` finds mistakes, `kfwd init` writes a first file.",
  ].join("\n");
}

function descriptionsOf(properties: Readonly<Record<string, z.infer<typeof described>>>): Row[] {
  return Object.entries(properties).map(([name, { description = "" }]) => [name, description]);
}

type Row = readonly [left: string, right: string];

/** Two columns; what is long on the right is wrapped, what is long on the left has a line of its own. */
function rows(list: readonly Row[]): string[] {
  const left = Math.min(Math.max(...list.map(([one]) => one.length)), 24);
  const indent = " ".repeat(left + 4);
  return list.flatMap(([one, other]) => {
    const [first = "", ...more] = wrapped(other, WIDTH - indent.length).map((line) => `${indent}${line}`);
    const head = `  ${one.padEnd(left)}  `;
    return one.length > left ? [`  ${one}`, first, ...more] : [head + first.slice(indent.length), ...more];
  });
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines.splice(-1, 1, `${last} ${word}`);
    else lines.push(word);
  }
  return lines;
}
