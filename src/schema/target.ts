/** What a forward leads to: `[ns/]kind/name`, a bare Service name, or a map with a name or a selector. */
import { isPlainMap } from "../plain.ts";
import { isIpAddress } from "./address.ts";
import { isSubdomain, LABEL, LABEL_RULE, SUBDOMAIN_RULE } from "./kube-name.ts";
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";
import { readSelector } from "./selector.ts";
import { NAMED_TARGET_KINDS, type NamedTargetKind, type Target } from "./spec.ts";
import { suggest } from "../suggest.ts";

/** A target with the namespace that was written before it. */
export interface PlacedTarget {
  readonly namespace?: string;
  readonly target: Target;
}

/** What kubectl calls each kind besides our word for it; its `-o name` adds the API group. */
export const KIND_ALIASES = {
  svc: ["service", "services"],
  deploy: ["deployment", "deployments", "deployment.apps", "deployments.apps"],
  sts: ["statefulset", "statefulsets", "statefulset.apps", "statefulsets.apps"],
  ds: ["daemonset", "daemonsets", "daemonset.apps", "daemonsets.apps"],
  rs: ["replicaset", "replicasets", "replicaset.apps", "replicasets.apps"],
  job: ["jobs", "job.batch", "jobs.batch"],
  pod: ["pods", "po"],
} as const satisfies Record<NamedTargetKind, readonly string[]>;

const MAP_KEYS = ["kind", "name", "selector", "container"];
const HINT = "target: svc/NAME";

/** The value of `target`. */
export function readTarget(value: unknown, fail: Fail): PlacedTarget | undefined {
  if (typeof value === "string") return readTargetText(value, fail);
  if (isPlainMap(value)) {
    return readTargetMap(new Map(Object.entries(value)), fail);
  }
  fail({ code: "WrongType", message: `target must be text or a map, got ${shown(value)}`, hint: HINT });
  return undefined;
}

/** `[ns/]kind/name`, or a bare name, which is a Service. */
export function readTargetText(text: string, fail: Fail): PlacedTarget | undefined {
  const parts = text.split("/");
  if (parts.length > 3) {
    fail({ code: "BadTarget", message: `target must be [ns/]kind/name, got ${quoted(text)}`, hint: HINT });
    return undefined;
  }
  const [name = "", kindWord = "svc", namespace] = parts.toReversed();
  const kindIndex = namespace === undefined ? 0 : namespace.length + 1;
  const kind = readKind(kindWord, (problem) =>
    fail({ ...problem, part: { index: kindIndex, length: kindWord.length } }),
  );
  const isPlaced = namespace === undefined || LABEL.test(namespace);
  if (namespace !== undefined && !isPlaced) {
    const message = `the namespace of a target must be ${LABEL_RULE}, got ${quoted(namespace)}`;
    fail({ code: "BadName", message, part: { index: 0, length: namespace.length } });
  }
  const readHere = kind === "host" ? readHost : readName;
  const isNamed = readHere(name, (problem) =>
    fail({ ...problem, part: { index: text.length - name.length, length: name.length } }),
  );
  if (kind === undefined || !isNamed || !isPlaced) return undefined;
  return namespace === undefined ? { target: { kind, name } } : { namespace, target: { kind, name } };
}

function readTargetMap(map: ReadonlyMap<string, unknown>, fail: Fail): PlacedTarget | undefined {
  let good = true;
  const failAt: (...path: string[]) => Fail =
    (...path) =>
    (problem) => {
      good = false;
      fail({ ...problem, path: [...path, ...(problem.path ?? [])] });
    };
  for (const key of map.keys()) {
    if (MAP_KEYS.includes(key)) continue;
    const hint = suggest(key, MAP_KEYS) ?? `known keys: ${MAP_KEYS.join(", ")}`;
    failAt(key)({ code: "UnknownKey", message: `unknown key ${quoted(key)} in target`, hint, atKey: true });
  }
  const kind = map.has("kind") ? readKind(map.get("kind"), failAt("kind")) : undefined;
  if (map.has("selector")) {
    if (map.has("name"))
      failAt("name")({ code: "BadTarget", message: "target has both name and selector", atKey: true });
    if (kind !== undefined && kind !== "pod") {
      failAt("kind")({
        code: "BadTarget",
        message: `a selector finds pods, so kind must be "pod", got ${quoted(kind)}`,
      });
    }
    const selector = readSelector(map.get("selector"), failAt("selector"));
    const inside = containerOf(map, failAt("container"));
    return good && selector !== undefined ? { target: { kind: "selector", selector, ...inside } } : undefined;
  }
  const name = map.get("name");
  if (!map.has("name"))
    failAt()({ code: "BadTarget", message: "target has neither name nor selector", hint: HINT });
  else if (!map.has("kind"))
    failAt()({ code: "BadTarget", message: "target has a name but no kind", hint: HINT });
  else if (kind === "host") readHost(name, failAt("name"));
  else readName(name, failAt("name"));
  const inside = containerOf(map, failAt("container"));
  if (kind === "host" && map.has("container"))
    failAt("container")({ code: "BadTarget", message: "a host has no containers", atKey: true });
  if (!good || kind === undefined || typeof name !== "string") return undefined;
  return { target: kind === "host" ? { kind, name } : { kind, name, ...inside } };
}

/** Empty where there is none, or a wrong one, which was told. */
function containerOf(map: ReadonlyMap<string, unknown>, fail: Fail): { readonly container?: string } {
  const container = map.get("container");
  if (!map.has("container")) return {};
  if (typeof container === "string" && LABEL.test(container)) return { container };
  fail({
    code: "BadName",
    message: `the container of a target must be ${LABEL_RULE}, got ${shown(container)}`,
  });
  return {};
}

function readKind(word: unknown, fail: Fail): NamedTargetKind | "host" | undefined {
  const plain = typeof word === "string" ? word.toLowerCase() : "";
  const kind = NAMED_TARGET_KINDS.find(
    (one) => one === plain || KIND_ALIASES[one].some((alias) => alias === plain),
  );
  if (kind !== undefined) return kind;
  if (plain === "host") return plain;
  const known = NAMED_TARGET_KINDS.flatMap((one) => [
    one,
    ...KIND_ALIASES[one].filter((alias) => !alias.includes(".")),
  ]);
  const kinds = [...NAMED_TARGET_KINDS, "host"];
  const hint = suggest(plain, [...known, "host"]) ?? `kinds: ${kinds.join(", ")}`;
  fail({ code: "UnknownKind", message: `unknown kind ${shown(word)} in target`, hint });
  return undefined;
}

/** A host name as RFC 1123 has it, or an IP address, as the cluster knows it. */
function readHost(name: unknown, fail: Fail): boolean {
  const host = typeof name === "string" ? name.toLowerCase().replace(/\.$/, "") : "";
  const isDigits = /^[0-9.]+$/.test(host); // 10.0.0 is no name, but a slip
  if (!isIpAddress(host) && (isDigits || !isSubdomain(host))) {
    const message = `the host of a target must be a name or an IP address, got ${shown(name)}`;
    const port = /^[a-z0-9.-]+:([0-9]{1,5})$/.exec(host)?.[1];
    const hint = port === undefined ? "target: host/db.example.com" : portHint(port);
    fail({ code: "BadName", message, hint });
    return false;
  }
  return true;
}

function readName(name: unknown, fail: Fail): boolean {
  if (typeof name === "string" && isSubdomain(name)) return true;
  const message = `the name of a target must be ${SUBDOMAIN_RULE}, got ${shown(name)}`;
  const port = typeof name === "string" ? /^[^:]+:([a-z0-9-]+)$/.exec(name)?.[1] : undefined;
  fail(
    port === undefined ? { code: "BadName", message } : { code: "BadName", message, hint: portHint(port) },
  );
  return false;
}

function portHint(port: string): string {
  return `write the port as "port: ${port}"`;
}
