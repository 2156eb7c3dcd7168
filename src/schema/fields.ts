/**
 * The keys of forwards.yaml and what each may hold, as zod schemas of plain values: one place to add a field.
 * A field that takes text or something else has a reader of its own, since a union would not say which was meant.
 */
import * as z from "zod/mini";
import { readBind } from "./address.ts";
import { LABEL, LABEL_RULE } from "./kube-name.ts";
import { readLocal, readPort } from "./port.ts";
import type { Fail, Problem } from "./problem.ts";
import { readTarget } from "./target.ts";

/** The format this version reads. */
export const FORMAT_VERSION = 1;

/** What a forward may be called. */
export const FORWARD_NAME = /^[a-z][a-z0-9-]{0,39}$/;
export const FORWARD_NAME_RULE = 'lowercase letters, digits and "-", starting with a letter, at most 40';

/** What a project may be called, as docker compose has it. */
export const PROJECT_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
export const PROJECT_NAME_RULE =
  'lowercase letters, digits, "-" and "_", starting with a letter or digit, at most 63';

/** Takes a problem through zod, whose issues carry only data of its own kinds. */
export class CarriedProblem {
  readonly problem: Problem;

  constructor(problem: Problem) {
    this.problem = problem;
  }
}

/** The fields with readers of their own; the generated JSON Schema says in its way what each reader takes. */
export const readerFields = {
  target: readBy(readTarget),
  port: readBy((value, fail) => readPort(value, "port", fail)),
  targetPort: readBy((value, fail) => readPort(value, "targetPort", fail)),
  local: readBy(readLocal),
  bind: readBy(readBind),
};

const context = z.string().check(z.minLength(1));
const kubeconfig = z.string().check(z.minLength(1));
const namespace = z.string().check(z.regex(LABEL, { error: LABEL_RULE }));
const protocol = z.enum(["tcp", "udp"]);
const required = z.boolean();

/** Fields of `defaults`. */
export const defaultsSchema = z.strictObject({
  context: z.optional(context),
  namespace: z.optional(namespace),
  kubeconfig: z.optional(kubeconfig),
  bind: z.optional(readerFields.bind),
  protocol: z.optional(protocol),
  required: z.optional(required),
});

/** Fields of one forward. `null` takes back what `defaults` says. */
export const entrySchema = z.strictObject({
  target: z.optional(readerFields.target),
  port: z.optional(readerFields.port),
  targetPort: z.optional(readerFields.targetPort),
  local: z.optional(readerFields.local),
  bind: z.nullish(readerFields.bind),
  protocol: z.nullish(protocol),
  required: z.nullish(required),
  description: z.optional(z.string()),
  context: z.nullish(context),
  namespace: z.nullish(namespace),
  kubeconfig: z.nullish(kubeconfig),
});

/** Fields at the top of the file; `defaults` and each forward are checked by themselves. */
export const topSchema = z.strictObject({
  version: z.optional(z.literal(FORMAT_VERSION)),
  name: z.optional(z.string().check(z.regex(PROJECT_NAME, { error: PROJECT_NAME_RULE }))),
  context: z.optional(context),
  namespace: z.optional(namespace),
  kubeconfig: z.optional(kubeconfig),
  defaults: z.optional(z.unknown()),
  forwards: z.optional(z.unknown()),
});

export type DefaultsFields = z.output<typeof defaultsSchema>;
export type EntryFields = z.output<typeof entrySchema>;
export type TopFields = z.output<typeof topSchema>;

function readBy<T>(read: (value: unknown, fail: Fail) => T | undefined) {
  return z.pipe(
    z.unknown(),
    z.transform((value, issues) => {
      const found = read(value, (problem) => {
        const path = [...(problem.path ?? [])];
        issues.issues.push({
          code: "custom",
          input: value,
          path,
          params: { carried: new CarriedProblem(problem) },
        });
      });
      return found ?? z.NEVER;
    }),
  );
}
