/** A pod that a client makes by POST: what of its manifest the sandbox keeps, and what it runs of it. */
import * as z from "zod/mini";
import type { NodeCommand } from "./nodeprocess.ts";
import { nameSuffix } from "./objects.ts";
import type { NewPod, Program } from "./pods.ts";

const Texts = z.nullish(z.record(z.string(), z.string()));

const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.nullish(z.array(z.string())),
  env: z.nullish(z.array(z.object({ name: z.string(), value: z.string() }))),
});

const Manifest = z.object({
  kind: z.literal("Pod"),
  metadata: z.object({
    name: z.nullish(z.string()),
    generateName: z.nullish(z.string()),
    labels: Texts,
    annotations: Texts,
  }),
  spec: z.looseObject({
    restartPolicy: z._default(z.enum(["Always", "Never"]), "Always"),
    terminationGracePeriodSeconds: z._default(z.number(), 30),
    containers: z.array(Container).check(z.minLength(1)),
  }),
});

/** Undefined when it is no manifest of a pod. */
export function readPostedPod(
  json: unknown,
  namespace: string,
): { readonly pod: NewPod; readonly program: Program } | undefined {
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  const { generateName, labels, annotations } = metadata;
  const name = metadata.name ?? (generateName ? `${generateName}${nameSuffix(5)}` : undefined);
  if (name === undefined) return undefined;
  const [main] = spec.containers;
  const process = main && nodeCommandOf(main);
  return {
    pod: {
      name,
      namespace,
      labels: labels ?? {},
      ...(annotations ? { annotations } : {}),
      ...(generateName ? { generateName } : {}),
      spec: { nodeName: "sandbox-node", ...spec },
    },
    program: { apps: {}, ...(process ? { process } : {}) },
  };
}

/** Only `node` is run: a sandbox has no images. */
function nodeCommandOf({ command, env }: z.infer<typeof Container>): NodeCommand | undefined {
  const [program, ...args] = command ?? [];
  if (program !== "node") return undefined;
  return { args, env: Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])) };
}
