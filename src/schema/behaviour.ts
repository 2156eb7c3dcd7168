/** Fields that say how a forward behaves: `probe`, `retry`, `hold`, `ttl`, templates, names. */
import { isSubdomain } from "./kube-name.ts";
import { labelMap } from "./labels.ts";
import type { Fail } from "./problem.ts";
import { quoted, shown } from "../printable.ts";
import { anyText, duration, Fielded, listOf, mapOf, oneOf, textLike, wholeNumber } from "./readers.ts";
import type { ProbeSpec, RetrySpec } from "./spec.ts";

const DAY_MS = 86_400_000;
export const PROBE_TYPES = ["none", "tunnel", "tcp", "http"] as const;

/** Of a part that is absent, what is inherited or the default holds. */
export type ProbePart = { readonly [F in keyof ProbeSpec]?: ProbeSpec[F] | undefined };
export type RetryPart = { readonly [F in keyof RetrySpec]?: RetrySpec[F] | undefined };

export const DEFAULT_PROBE: ProbeSpec = {
  type: "tunnel",
  path: "/",
  status: [200, 399],
  intervalMs: 10_000,
  timeoutMs: 2_000,
  failures: 3,
};
export const DEFAULT_RETRY: RetrySpec = { initialMs: 100, maxMs: 15_000, resetAfterMs: 10_000 };

/** A word, or a map of which everything may be absent. */
export function readProbe(value: unknown, fail: Fail): ProbePart | undefined {
  const type = oneOf("probe", PROBE_TYPES);
  if (typeof value === "string") {
    const word = type(value, fail);
    return word && { type: word };
  }
  const map = Fielded.open("probe", value, fail, "probe: tcp");
  if (map === undefined) return undefined;
  const part: ProbePart = {
    type: map.read("type", oneOf("type of probe", PROBE_TYPES)),
    path: map.read(
      "path",
      textLike("path", (text) => text.startsWith("/"), 'text that starts with "/"'),
    ),
    status: map.read("status", readStatus),
    intervalMs: map.read("interval", duration("interval", 100, DAY_MS)),
    timeoutMs: map.read("timeout", duration("timeout", 10, 600_000)),
    failures: map.read("failures", wholeNumber("failures", 1, 1_000)),
  };
  const isHttp = part.type === undefined || part.type === "http";
  if (!isHttp && part.path !== undefined) map.refuse("path", "path is for probes of type http");
  if (!isHttp && part.status !== undefined) map.refuse("status", "status is for probes of type http");
  return map.isGood() ? part : undefined;
}

/** `200`, `200-399` */
function readStatus(value: unknown, fail: Fail): readonly [number, number] | undefined {
  const text = typeof value === "number" || typeof value === "string" ? String(value) : "";
  const [, from, to] = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to ?? from)];
  if (from !== undefined && first <= last) return [first, last];
  const message = `status must be like 200 or 200-399, got ${shown(value)}`;
  fail({ code: "BadValue", message, hint: 'status: "200-399"' });
  return undefined;
}

/** All of it may be absent. */
export function readRetry(value: unknown, fail: Fail): RetryPart | undefined {
  const map = Fielded.open("retry", value, fail, "retry: { initial: 100ms, max: 15s }");
  if (map === undefined) return undefined;
  const part: RetryPart = {
    initialMs: map.read("initial", duration("initial", 1, 3_600_000)),
    maxMs: map.read("max", duration("max", 1, 3_600_000)),
    resetAfterMs: map.read("resetAfter", duration("resetAfter", 1, DAY_MS)),
  };
  if (part.initialMs !== undefined && part.maxMs !== undefined && part.initialMs > part.maxMs) {
    map.refuse("initial", "initial is longer than max");
  }
  return map.isGood() ? part : undefined;
}

/** How long a client may wait, in milliseconds. */
export const readHold = duration("hold", 0, 600_000);

/** How long a forward goes on, in milliseconds. */
export const readTtl = duration("ttl", 1_000, 7 * DAY_MS);

const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Text with `{host}` and others of `known` in it. */
function template(what: string, known: readonly string[]) {
  const text = anyText(what);
  return (value: unknown, fail: Fail): string | undefined => {
    const found = text(value, fail);
    if (found === undefined) return undefined;
    for (const match of found.matchAll(PLACEHOLDER)) {
      const [whole, name = ""] = match;
      if (known.includes(name)) continue;
      const hint = `known: ${known.map((one) => `{${one}}`).join(", ")}`;
      const part = { index: match.index, length: whole.length };
      fail({ code: "BadTemplate", message: `${what} cannot have ${quoted(whole)}`, hint, part });
      return undefined;
    }
    return found;
  };
}

export const readUrl = template("url", ["host", "port", "name"]);

const ENV_NAME = /^[A-Z_][A-Z0-9_]*$/;
const ENV_RULE = 'capitals, digits and "_", starting with no digit';

export const readEnv = mapOf(
  "env",
  textLike("a variable", (name) => ENV_NAME.test(name) && name.length <= 128, ENV_RULE),
  template("a value of env", ["host", "port", "name", "url"]),
);

export const readHosts = listOf(
  "hosts",
  textLike(
    "a name of hosts",
    (name) => isSubdomain(name.replace(/^\*\./, "")),
    'lowercase letters, digits, "-" and ".", as in api.localhost',
  ),
  "alone",
);

export const readLabels = labelMap("labels");

const PROFILE = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const PROFILE_RULE = 'lowercase letters, digits, "-", "_" and ".", at most 63';

export const readProfiles = listOf(
  "profiles",
  textLike("a profile", (name) => PROFILE.test(name), PROFILE_RULE),
  "alone",
);
