/** Forms that several places of the JSON Schema have, and that of the relay. */
import type * as z from "zod/mini";

/** A part of the schema. */
export type Json = z.core.JSONSchema.BaseSchema;

/** As docker compose writes them. */
export const DURATION: Json = {
  type: "string",
  pattern: "^(?:[0-9]{1,9}(?:ms|s|m|h))+$",
  examples: ["500ms", "10s", "1m30s"],
};
/** Any text. */
export const TEXT: Json = { type: "string" };
/** A map of text. */
export const WORDS: Json = { type: "object", additionalProperties: { type: ["string", "null"] } };
/** Text, or a list of it. */
export const TEXTS: Json = { anyOf: [TEXT, { type: "array", items: TEXT }] };
/** One text of a pattern, or a list of them. */
export function textsOf(pattern: string): Json {
  const text = { type: "string", pattern } as const;
  return { anyOf: [text, { type: "array", items: text }] };
}

/** True or false. */
export const FLAG: Json = { type: "boolean" };

/** A map of these keys and no others. */
export function map(properties: Readonly<Record<string, Json>>): Json {
  return { type: "object", properties: { ...properties }, additionalProperties: false };
}

/** What is said of the relay pod. */
export const RELAY = map({
  image: { ...TEXT, description: "Image of the relay pod, best with its digest." },
  imagePullSecrets: { ...TEXTS, description: "Secrets for pulling the image." },
  namespace: { ...TEXT, description: "Where the relay runs. Default: the forward's namespace." },
  serviceAccount: { ...TEXT, description: "Its service account; no token is mounted." },
  resources: {
    ...map({ requests: { type: "object" }, limits: { type: "object" } }),
    description: "Its requests and limits.",
  },
  nodeSelector: { ...WORDS, description: "Labels of the nodes it may run on." },
  tolerations: { type: "array", items: { type: "object" }, description: "Taints it tolerates, as in a pod." },
  labels: { ...WORDS, description: "Labels for the pod besides those of kfwd." },
  annotations: { ...WORDS, description: "Annotations for the pod." },
  ttl: { ...DURATION, description: "How long a pod lives; the next one takes over before. Default: 24h." },
  idle: { ...DURATION, description: "How long a pod goes on when nobody speaks to it. Default: 90s." },
  share: {
    enum: ["context", "entry"],
    description: "entry: a pod for this forward alone. Default: context, one for all of a namespace.",
  },
  create: { enum: ["auto"], description: "kfwd makes the pod: it answers nobody else. Default: auto." },
  patch: { type: "object", description: "A merge patch for the pod; needs trust." },
});
