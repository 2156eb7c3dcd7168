/** The JSON Schema of forwards.yaml, for editors: it knows the shape, and leaves rules between fields to the parser. */
import * as z from "zod/mini";
import { defaultsSchema, entrySchema, FORWARD_NAME, readerFields, topSchema } from "./fields.ts";
import { NAMED_TARGET_KINDS } from "./spec.ts";
import { KIND_ALIASES } from "./target.ts";

type Json = z.core.JSONSchema.BaseSchema;

const PORT_NUMBER = { type: "integer", minimum: 1, maximum: 65535 } as const;
const PORT_DIGITS = { type: "string", pattern: "^[0-9]{1,5}$" } as const;
const PORT_NAME = { type: "string", pattern: "^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$" } as const;
const TARGET_TEXT = {
  type: "string",
  pattern: "^(?:(?:[a-z0-9-]+/)?[A-Za-z.]+/)?[a-z0-9][a-z0-9.-]*$",
} as const;

/** `[bind:]local:[ns/]kind/name[:port[/proto]]` */
const COMPACT = {
  type: "string",
  description: "The forward in one line: [bind:]local:[namespace/]kind/name:port[/protocol].",
  examples: ["8080:svc/api:http", "auto:sts/postgres:5432", "5353:kube-system/svc/kube-dns:53/udp"],
  pattern:
    "^(?:(?:\\[[0-9A-Fa-f:.]+\\]|localhost|[0-9.]+):)?(?:[0-9]{1,5}|auto):" +
    "(?:[a-z0-9-]+/)?[A-Za-z.]+/[a-z0-9][a-z0-9.-]*(?::[a-z0-9-]+(?:/(?:tcp|udp))?)?$",
} as const satisfies Json;

const KINDS = NAMED_TARGET_KINDS.flatMap((kind) => [kind, ...KIND_ALIASES[kind]]);

const TARGET_MAP: Json = {
  type: "object",
  properties: {
    kind: { enum: KINDS, description: "Kind of the object, as kubectl calls it." },
    name: { type: "string", description: "Name of the object." },
    selector: {
      description: "Labels of the pods, as text in kubectl's syntax or as a map.",
      anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "string" } }],
    },
  },
  anyOf: [{ required: ["kind", "name"] }, { required: ["selector"] }],
  additionalProperties: false,
};

/** What the readers take, by the field they read. */
const READER_FORMS: ReadonlyMap<unknown, Json> = new Map<unknown, Json>([
  [readerFields.target, { anyOf: [TARGET_TEXT, TARGET_MAP] }],
  [readerFields.port, { anyOf: [PORT_NUMBER, PORT_NAME] }],
  [readerFields.targetPort, { anyOf: [PORT_NUMBER, PORT_NAME] }],
  [readerFields.local, { anyOf: [PORT_NUMBER, PORT_DIGITS, { const: "auto" }] }],
  [
    readerFields.bind,
    { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" }, minItems: 1 }] },
  ],
]);

const ENTRY_WORDS: Record<keyof typeof entrySchema.shape, string> = {
  target: "What to forward to: [namespace/]kind/name, or the bare name of a Service, or a map.",
  port: "Port of the Service by number or name; of the pod when the target is not a Service.",
  targetPort: "Port of the pod by number or name, past the ports of the Service. Instead of port.",
  local: "Port on this machine, or auto to let the system choose. Default: the number of port.",
  bind: "Address on this machine, or a list of them. Default: localhost, which is 127.0.0.1 and ::1.",
  protocol: "tcp or udp. Default: tcp.",
  required: "Whether waiting for the project waits for this forward. Default: true.",
  description: "A note for people, shown by status.",
  context: "Context of the kubeconfig. Default: its current context.",
  namespace: "Namespace of the target. Default: that of the context.",
  kubeconfig: "Path of a kubeconfig, relative to this file; ~ is your home. Default: $KUBECONFIG.",
};

const TOP_WORDS: Record<keyof typeof topSchema.shape, string> = {
  version: "Version of the file format.",
  name: "Name of the project. Default: the name of the folder.",
  context: "Short for defaults.context.",
  namespace: "Short for defaults.namespace.",
  kubeconfig: "Short for defaults.kubeconfig.",
  defaults: "What forwards have unless they say otherwise.",
  forwards: "The forwards by name.",
};

/** The schema as plain data, in draft-07, which all editors read. */
export function forwardsJsonSchema(): Json {
  const ignored = { "^x-": { description: "Yours to use; kfwd ignores it." } };
  const entry = { ...objectOf(entrySchema, ENTRY_WORDS), patternProperties: ignored, required: ["target"] };
  const top = objectOf(topSchema, TOP_WORDS);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "forwards.yaml",
    description: "Port forwards of a project, for kfwd.",
    ...top,
    properties: {
      ...top.properties,
      defaults: { description: TOP_WORDS.defaults, ...objectOf(defaultsSchema, ENTRY_WORDS) },
      forwards: {
        description: TOP_WORDS.forwards,
        type: "object",
        propertyNames: { pattern: FORWARD_NAME.source },
        additionalProperties: { anyOf: [COMPACT, entry, { type: "null" }] },
      },
    },
    patternProperties: ignored,
    required: ["forwards"],
  };
}

function objectOf(schema: z.ZodMiniObject, words: Readonly<Record<string, string>>): Json {
  const json = z.toJSONSchema(schema, {
    io: "input",
    target: "draft-07",
    override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, READER_FORMS.get(zodSchema)),
  });
  const properties = Object.entries(json.properties ?? {}).map(([field, form]) => {
    const described = typeof form === "boolean" ? form : { description: words[field] ?? "", ...form };
    return [field, described] as const;
  });
  delete json.$schema; // the whole has one
  return { ...json, properties: Object.fromEntries(properties) };
}
