/** The JSON Schema of forwards.yaml, for editors: it knows the shape, and leaves rules between fields to the parser. */
import * as z from "zod/mini";
import { PROBE_TYPES } from "./behaviour.ts";
import {
  defaultsSchema,
  ENVIRONMENT_NAME,
  entrySchema,
  environmentSchema,
  FORWARD_NAME,
  readerFields,
  topSchema,
} from "./fields.ts";
import { DURATION, FLAG, map, RELAY, TEXTS, textsOf, WORDS, type Json } from "./jsonforms.ts";
import { LINT_LEVELS, LINT_RULES } from "./lint-rules.ts";
import { NAMED_TARGET_KINDS } from "./spec.ts";
import { KIND_ALIASES } from "./target.ts";

const PORT_NUMBER = { type: "integer", minimum: 1, maximum: 65535 } as const;
const PORT_DIGITS = { type: "string", pattern: "^[0-9]{1,5}$" } as const;
const PORT_NAME = { type: "string", pattern: "^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$" } as const;
const TARGET_TEXT = {
  type: "string",
  pattern: "^(?:(?:[a-z0-9-]+/)?host/[A-Za-z0-9.:-]+|(?:(?:[a-z0-9-]+/)?[A-Za-z.]+/)?[a-z0-9][a-z0-9.-]*)$",
} as const;

/** `[bind:]local:[ns/]kind/name[:port[/proto]]` */
const COMPACT = {
  type: "string",
  description: "The forward in one line: [bind:]local:[namespace/]kind/name:port[/protocol].",
  examples: ["8080:svc/api:http", "auto:sts/postgres:5432", "5353:kube-system/svc/kube-dns:53/udp"],
  pattern:
    "^(?:(?:\\[[0-9A-Fa-f:.]+\\]|localhost|all|docker|[0-9.]+):)?(?:[0-9]{1,5}|auto):" +
    "(?:[a-z0-9-]+/)?[A-Za-z.]+/[a-z0-9][a-z0-9.-]*(?::[a-z0-9-]+(?:/(?:tcp|udp))?)?$",
} as const satisfies Json;

const KINDS = [...NAMED_TARGET_KINDS.flatMap((kind) => [kind, ...KIND_ALIASES[kind]]), "host"];

const TARGET_MAP: Json = {
  type: "object",
  properties: {
    kind: { enum: KINDS, description: "Kind of the object, as kubectl calls it." },
    name: { type: "string", description: "Name of the object." },
    selector: {
      description: "Labels of the pods, as text in kubectl's syntax or as a map.",
      anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "string" } }],
    },
    container: { type: "string", description: "The container whose port a name of a port means." },
  },
  anyOf: [{ required: ["kind", "name"] }, { required: ["selector"] }],
  additionalProperties: false,
};

const PROBE: Json = {
  anyOf: [
    { enum: [...PROBE_TYPES] },
    map({
      type: { enum: [...PROBE_TYPES], description: "How it is asked whether the forward works." },
      path: { type: "string", pattern: "^/", description: "Path that http asks for. Default: /." },
      status: {
        type: ["string", "integer"],
        pattern: "^[1-5][0-9]{2}(?:-[1-5][0-9]{2})?$",
        description: "Statuses of http that count as well. Default: 200-399.",
      },
      interval: { ...DURATION, description: "How often. Default: 10s." },
      timeout: { ...DURATION, description: "How long an answer may take. Default: 2s." },
      failures: {
        type: "integer",
        minimum: 1,
        maximum: 1000,
        description: "Failures in a row that count. Default: 3.",
      },
    }),
  ],
};

const RETRY = map({
  initial: { ...DURATION, description: "The first wait after one try at once. Default: 100ms." },
  max: { ...DURATION, description: "No wait is longer. Default: 15s." },
  resetAfter: {
    ...DURATION,
    description: "Well for so long, the next trouble is the first again. Default: 10s.",
  },
});

const PORT_ITEM: Json = {
  anyOf: [PORT_NUMBER, { type: "string", pattern: "^(?:(?:[0-9]{1,5}|auto):)?[a-z0-9-]+(?:/(?:tcp|udp))?$" }],
};

/** What the readers take, by the field they read. */
const READER_FORMS: ReadonlyMap<unknown, Json> = new Map<unknown, Json>([
  [readerFields.target, { anyOf: [TARGET_TEXT, TARGET_MAP] }],
  [readerFields.port, { anyOf: [PORT_NUMBER, PORT_NAME] }],
  [readerFields.targetPort, { anyOf: [PORT_NUMBER, PORT_NAME] }],
  [readerFields.ports, { type: "array", items: PORT_ITEM, minItems: 1 }],
  [readerFields.local, { anyOf: [PORT_NUMBER, PORT_DIGITS, { const: "auto" }] }],
  [
    readerFields.bind,
    { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" }, minItems: 1 }] },
  ],
  [readerFields.required, FLAG],
  [readerFields.enabled, FLAG],
  [readerFields.followContext, FLAG],
  [readerFields.hold, DURATION],
  [readerFields.ttl, DURATION],
  [readerFields.retry, RETRY],
  [readerFields.probe, PROBE],
  [readerFields.url, { type: "string", minLength: 1 }],
  [
    readerFields.env,
    {
      type: "object",
      propertyNames: { pattern: "^[A-Z_][A-Z0-9_]*$" },
      additionalProperties: { type: ["string", "null"] },
    },
  ],
  [readerFields.hosts, textsOf("^(?:\\*\\.)?[a-z0-9][a-z0-9.-]*$")],
  [readerFields.labels, WORDS],
  [readerFields.profiles, textsOf("^[a-z0-9][a-z0-9_.-]{0,62}$")],
  [readerFields.relay, RELAY],
  [readerFields.portOffset, { type: "integer", minimum: 0, maximum: 64511 }],
  [readerFields.protect, TEXTS],
]);

const ENTRY_WORDS: Record<keyof typeof entrySchema.shape, string> = {
  target: "What to forward to: [namespace/]kind/name, or the bare name of a Service, or a map.",
  port: "Port of the Service by number or name; of the pod when the target is not a Service.",
  targetPort: "Port of the pod by number or name, past the ports of the Service. Instead of port.",
  ports: 'Several ports of the target, each as "[local:]port[/protocol]". Instead of port and local.',
  local: "Port on this machine, or auto for a free one. Default: the number of port.",
  bind: "Address on this machine, or a list of them; localhost, all and docker have a meaning. Default: localhost.",
  protocol: "tcp or udp. Default: tcp.",
  required: "Whether waiting for the project waits for this forward. Default: true.",
  description: "A note for people, shown by status.",
  url: "What to open: a template with {host}, {port} and {name}.",
  env: "Variables for programs: templates with {host}, {port}, {name} and {url}.",
  range: "The item of ranges in which the local port must be, and from which auto takes one.",
  profiles: "The forward is on only when one of these profiles is.",
  enabled: "false switches it off, as in forwards.local.yaml. Default: true.",
  probe: "How it is asked whether the forward works. Default: tunnel, which never touches the application.",
  retry: "How long it waits between tries.",
  hold: "How long a client may wait for a ready pod. Default: 10s.",
  ttl: "How long it goes on after it was started, then it stops by itself. Default: until it is stopped.",
  whenUnavailable: "What becomes of a client while no pod is ready. Default: hold.",
  pick: "Which of several ready pods. Default: sticky.",
  via: "relay sends TCP through the relay pod. Default: direct.",
  hosts: "Names for this forward in your hosts file.",
  labels: "Labels of the forward, to select it by.",
  context: "Context of the kubeconfig. Default: its current context.",
  namespace: "Namespace of the target. Default: that of the context.",
  kubeconfig: "Path of a kubeconfig, relative to this file; ~ is your home. Default: $KUBECONFIG.",
  followContext: "Whether it moves when the current context of the kubeconfig changes. Default: false.",
  relay: "What differs from the defaults for its relay pod.",
};

const TOP_WORDS: Record<keyof typeof topSchema.shape, string> = {
  version: "Version of the file format.",
  name: "Name of the project. Default: the name of the folder.",
  include: "Other files whose forwards belong to this project.",
  context: "Short for defaults.context.",
  namespace: "Short for defaults.namespace.",
  kubeconfig: "Short for defaults.kubeconfig.",
  followContext: "Short for defaults.followContext.",
  defaults: "What forwards have unless they say otherwise.",
  ranges: "Local ports the team has agreed on, by name.",
  forwards: "The forwards by name.",
  environments: "What changes for a cluster, by name: chosen with -e.",
  defaultEnvironment: "The environment without -e.",
  relay: "Short for defaults.relay.",
  protect: "Contexts in which nothing is started without --allow-context, as globs.",
  lint: "Levels of the rules of check.",
  requires: "Versions of kfwd that this file is written for.",
};

const ENVIRONMENT_WORDS: Record<keyof typeof environmentSchema.shape, string> = {
  context: "Context of the kubeconfig.",
  namespace: "Namespace of the targets.",
  kubeconfig: "Path of a kubeconfig, relative to this file.",
  portOffset: "What is added to local ports, so that environments can run side by side.",
  profiles: "Profiles that are on.",
  defaults: "What forwards have unless they say otherwise.",
  forwards: "Forwards that are other, more, or removed with null.",
};

const IGNORED = { "^x-": { description: "Yours to use; kfwd ignores it." } } as const;

const RANGE: Json = {
  anyOf: [
    { type: ["string", "integer"], pattern: "^[0-9]{1,5}(?: *- *[0-9]{1,5})?$" },
    {
      ...map({
        ports: { type: ["string", "integer"], description: "First and last port: 8080-8089." },
        level: { enum: [...LINT_LEVELS], description: "How grave a port outside is. Default: error." },
        match: { type: "string", description: "Forwards that must be inside, as a glob of their names." },
      }),
      required: ["ports"],
    },
  ],
};

const INCLUDED: Json = {
  anyOf: [
    { type: "string" },
    {
      ...map({
        path: { type: "string", description: "Path relative to this file, or pkg:PACKAGE/PATH." },
        prefix: { type: "string", description: "What to put before the names of its forwards." },
        only: { ...TEXTS, description: "The forwards to take." },
        optional: { type: "boolean", description: "Whether the file may be missing. Default: false." },
      }),
      required: ["path"],
    },
  ],
};

const LINT: Json = map(
  Object.fromEntries(
    Object.entries(LINT_RULES).map(([rule, level]) => [
      rule,
      { enum: [...LINT_LEVELS, false], description: `Default: ${level}.` },
    ]),
  ),
);

/** The schema as plain data, in draft-07, which all editors read. */
export function forwardsJsonSchema(): Json {
  const entry = { ...objectOf(entrySchema, ENTRY_WORDS), patternProperties: IGNORED };
  const top = objectOf(topSchema, TOP_WORDS);
  const defaults = { description: TOP_WORDS.defaults, ...objectOf(defaultsSchema, ENTRY_WORDS) };
  const forwards = (description: string): Json => ({
    description,
    type: "object",
    propertyNames: { pattern: FORWARD_NAME.source },
    additionalProperties: { anyOf: [COMPACT, entry, { type: "null" }, VARIABLE] },
  });
  const environment = objectOf(environmentSchema, ENVIRONMENT_WORDS);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "forwards.yaml",
    description: "Port forwards of a project, for kfwd.",
    ...top,
    properties: {
      ...top.properties,
      defaults,
      include: { description: TOP_WORDS.include, anyOf: [INCLUDED, { type: "array", items: INCLUDED }] },
      ranges: { description: TOP_WORDS.ranges, type: "object", additionalProperties: RANGE },
      relay: { description: TOP_WORDS.relay, ...RELAY },
      lint: { description: TOP_WORDS.lint, ...LINT },
      forwards: forwards(TOP_WORDS.forwards),
      environments: {
        description: TOP_WORDS.environments,
        type: "object",
        propertyNames: { pattern: ENVIRONMENT_NAME.source },
        additionalProperties: {
          anyOf: [
            {
              ...environment,
              properties: {
                ...environment.properties,
                defaults,
                forwards: forwards(ENVIRONMENT_WORDS.forwards),
              },
              patternProperties: IGNORED,
            },
            { type: "null" },
          ],
        },
      },
    },
    patternProperties: IGNORED,
  };
}

/** A value that has a variable in it, whatever the rule for the value is. */
const VARIABLE: Json = { type: "string", pattern: "\\$" };

/** What the form takes, or a variable in its place; maps and plain text need no such word. */
function orVariable(form: Json): Json {
  const isLoose = form.type === "object" || (form.type === "string" && form.pattern === undefined);
  if (isLoose || Object.keys(form).length === 0 || form.const !== undefined) return form;
  return form.anyOf ? { ...form, anyOf: [...form.anyOf, VARIABLE] } : { anyOf: [form, VARIABLE] };
}

function objectOf(schema: z.ZodMiniObject, words: Readonly<Record<string, string>>): Json {
  const json = z.toJSONSchema(schema, {
    io: "input",
    target: "draft-07",
    override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, READER_FORMS.get(zodSchema)),
  });
  const properties = Object.entries(json.properties ?? {}).map(([field, form]) => {
    if (typeof form === "boolean") return [field, form] as const;
    return [field, { description: words[field] ?? "", ...orVariable(form) }] as const;
  });
  delete json.$schema; // the whole has one
  return { ...json, properties: Object.fromEntries(properties) };
}
