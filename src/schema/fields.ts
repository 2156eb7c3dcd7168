/**
 * The keys of forwards.yaml and what each may hold, as zod schemas of plain values: one place to add a field.
 * A field that takes text or something else has a reader of its own, since a union would not say which was meant.
 */
import * as z from "zod/mini";
import { readBind } from "./address.ts";
import {
  readEnv,
  readHold,
  readTtl,
  readHosts,
  readLabels,
  readProbe,
  readProfiles,
  readRetry,
  readUrl,
} from "./behaviour.ts";
import { LABEL, LABEL_RULE } from "./kube-name.ts";
import { readLocal, readPort } from "./port.ts";
import { readPorts } from "./ports.ts";
import type { Fail, Problem } from "./problem.ts";
import { flag, listOf, textLike, wholeNumber } from "./readers.ts";
import { readRelay } from "./relayfields.ts";
import { readTarget } from "./target.ts";

/** The format this version reads. */
export const FORMAT_VERSION = 1;

/** What a forward may be called. */
export const FORWARD_NAME = /^[a-z][a-z0-9-]{0,39}$/;
export const FORWARD_NAME_RULE = 'lowercase letters, digits and "-", starting with a letter, at most 40';

/** What an environment may be called. */
export const ENVIRONMENT_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;
export const ENVIRONMENT_NAME_RULE =
  'lowercase letters, digits, "-" and "_", starting with a letter or digit, at most 40';

/** What a range may be called. */
export const RANGE_NAME = /^[a-z][a-z0-9_-]{0,39}$/;
export const RANGE_NAME_RULE = 'lowercase letters, digits, "-" and "_", starting with a letter, at most 40';

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
  ports: readBy(readPorts),
  local: readBy(readLocal),
  bind: readBy(readBind),
  required: readBy(flag("required")),
  enabled: readBy(flag("enabled")),
  followContext: readBy(flag("followContext")),
  hold: readBy(readHold),
  ttl: readBy(readTtl),
  retry: readBy(readRetry),
  probe: readBy(readProbe),
  url: readBy(readUrl),
  env: readBy(readEnv),
  hosts: readBy(readHosts),
  labels: readBy(readLabels),
  profiles: readBy(readProfiles),
  relay: readBy(readRelay),
  portOffset: readBy(wholeNumber("portOffset", 0, 64_511)),
  protect: readBy(
    listOf(
      "protect",
      textLike("an item of protect", (text) => text.length <= 253, "shorter"),
      "alone",
    ),
  ),
};

const context = z.string().check(z.minLength(1));
const kubeconfig = z.string().check(z.minLength(1));
const namespace = z.string().check(z.regex(LABEL, { error: LABEL_RULE }));
const protocol = z.enum(["tcp", "udp"]);
const via = z.enum(["direct", "relay"]);
const whenUnavailable = z.enum(["hold", "refuse"]);
const pick = z.enum(["sticky", "newest", "random"]);
const rangeName = z.string().check(z.regex(RANGE_NAME, { error: RANGE_NAME_RULE }));
const environmentName = z.string().check(z.regex(ENVIRONMENT_NAME, { error: ENVIRONMENT_NAME_RULE }));

/** Fields of `defaults`. */
export const defaultsSchema = z.strictObject({
  context: z.optional(context),
  namespace: z.optional(namespace),
  kubeconfig: z.optional(kubeconfig),
  bind: z.optional(readerFields.bind),
  protocol: z.optional(protocol),
  required: z.optional(readerFields.required),
  via: z.optional(via),
  whenUnavailable: z.optional(whenUnavailable),
  hold: z.optional(readerFields.hold),
  ttl: z.optional(readerFields.ttl),
  retry: z.optional(readerFields.retry),
  probe: z.optional(readerFields.probe),
  pick: z.optional(pick),
  followContext: z.optional(readerFields.followContext),
  labels: z.optional(readerFields.labels),
  range: z.optional(rangeName),
  profiles: z.optional(readerFields.profiles),
  enabled: z.optional(readerFields.enabled),
  relay: z.optional(readerFields.relay),
});

/** Fields of one forward. `null` takes back what `defaults` says. */
export const entrySchema = z.strictObject({
  target: z.optional(readerFields.target),
  port: z.nullish(readerFields.port),
  targetPort: z.nullish(readerFields.targetPort),
  ports: z.nullish(readerFields.ports),
  local: z.nullish(readerFields.local),
  bind: z.nullish(readerFields.bind),
  protocol: z.nullish(protocol),
  required: z.nullish(readerFields.required),
  description: z.optional(z.string()),
  url: z.nullish(readerFields.url),
  env: z.nullish(readerFields.env),
  range: z.nullish(rangeName),
  profiles: z.nullish(readerFields.profiles),
  enabled: z.nullish(readerFields.enabled),
  probe: z.nullish(readerFields.probe),
  retry: z.nullish(readerFields.retry),
  hold: z.nullish(readerFields.hold),
  ttl: z.nullish(readerFields.ttl),
  whenUnavailable: z.nullish(whenUnavailable),
  pick: z.nullish(pick),
  via: z.nullish(via),
  hosts: z.nullish(readerFields.hosts),
  labels: z.nullish(readerFields.labels),
  context: z.nullish(context),
  namespace: z.nullish(namespace),
  kubeconfig: z.nullish(kubeconfig),
  followContext: z.nullish(readerFields.followContext),
  relay: z.nullish(readerFields.relay),
});

/** Fields of an environment. */
export const environmentSchema = z.strictObject({
  context: z.optional(context),
  namespace: z.optional(namespace),
  kubeconfig: z.optional(kubeconfig),
  portOffset: z.optional(readerFields.portOffset),
  profiles: z.optional(readerFields.profiles),
  defaults: z.optional(z.unknown()),
  forwards: z.optional(z.unknown()),
});

/** Fields at the top of the file; those that are maps of free keys are checked by themselves. */
export const topSchema = z.strictObject({
  version: z.optional(z.literal(FORMAT_VERSION)),
  name: z.optional(z.string().check(z.regex(PROJECT_NAME, { error: PROJECT_NAME_RULE }))),
  include: z.optional(z.unknown()),
  context: z.optional(context),
  namespace: z.optional(namespace),
  kubeconfig: z.optional(kubeconfig),
  followContext: z.optional(readerFields.followContext),
  defaults: z.optional(z.unknown()),
  ranges: z.optional(z.unknown()),
  forwards: z.optional(z.unknown()),
  environments: z.optional(z.unknown()),
  defaultEnvironment: z.optional(environmentName),
  relay: z.optional(z.unknown()),
  protect: z.optional(readerFields.protect),
  lint: z.optional(z.unknown()),
  requires: z.optional(z.string()),
});

export type DefaultsFields = z.output<typeof defaultsSchema>;
export type EntryFields = z.output<typeof entrySchema>;
export type EnvironmentFields = z.output<typeof environmentSchema>;
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
