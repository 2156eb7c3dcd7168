/** What the file says of the relay pod. */
import { isSubdomain, LABEL, LABEL_RULE, SUBDOMAIN_RULE } from "./kube-name.ts";
import type { Fail } from "./problem.ts";
import { shown } from "../printable.ts";
import { anyText, duration, Fielded, listOf, mapOf, oneOf, textLike, type Reader } from "./readers.ts";
import { labelMap } from "./labels.ts";
import { readPatch } from "./relaypatch.ts";
import { isLabelKey, isLabelValue } from "./selector.ts";
import type { RelaySpec } from "./spec.ts";

const IMAGE = /^[A-Za-z0-9][-A-Za-z0-9._/:@]{0,511}$/;
const QUANTITY = /^[0-9]+(?:\.[0-9]+)?(?:m|k|Ki|M|Mi|G|Gi|T|Ti)?$/;

/** A relay that is replaced more often than it starts helps nobody; a week is longer than most sessions. */
const TTL_LEAST_MS = 60_000;
const TTL_MOST_MS = 7 * 24 * 3_600_000;

/** A tunnel that breaks is noticed within 15 s and made again; the pod must still be there then. */
const IDLE_LEAST_MS = 30_000;
const IDLE_MOST_MS = 24 * 3_600_000;

const objectName = (what: string): Reader<string> => textLike(what, isSubdomain, SUBDOMAIN_RULE);

/** All of it may be absent. */
export function readRelay(value: unknown, fail: Fail): RelaySpec | undefined {
  const map = Fielded.open("relay", value, fail, "relay: { namespace: NAME }");
  if (map === undefined) return undefined;
  const image = map.read(
    "image",
    textLike("image", (text) => IMAGE.test(text), "the reference of an image"),
  );
  const imagePullSecrets = map.read(
    "imagePullSecrets",
    listOf("imagePullSecrets", objectName("a pull secret"), "alone"),
  );
  const namespace = map.read(
    "namespace",
    textLike("namespace", (text) => LABEL.test(text), LABEL_RULE),
  );
  const serviceAccount = map.read("serviceAccount", objectName("serviceAccount"));
  const resources = map.read("resources", readResources);
  const nodeSelector = map.read("nodeSelector", labelMap("nodeSelector"));
  const tolerations = map.read("tolerations", listOf("tolerations", readToleration, "list"));
  const labels = map.read("labels", labelMap("labels"));
  const annotations = map.read(
    "annotations",
    mapOf(
      "annotations",
      textLike("an annotation", isLabelKey, "a key of Kubernetes"),
      anyText("an annotation"),
    ),
  );
  const ttl = map.read("ttl", duration("ttl", TTL_LEAST_MS, TTL_MOST_MS));
  const idle = map.read("idle", duration("idle", IDLE_LEAST_MS, IDLE_MOST_MS));
  const share = map.read("share", oneOf("share", ["context", "entry"]));
  map.read("create", readCreate);
  const patch = map.read("patch", readPatch);
  if (!map.isGood()) return undefined;
  return {
    ...(image !== undefined && { image }),
    ...(imagePullSecrets && { imagePullSecrets }),
    ...(namespace !== undefined && { namespace }),
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(resources && { resources }),
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(ttl !== undefined && { ttlMs: ttl }),
    ...(idle !== undefined && { idleMs: idle }),
    ...(share === "entry" && { share }),
    ...(patch && { patch }),
  };
}

/** A relay answers only the supervisor that made its pod, so one that others made would be of no use, or open to all. */
function readCreate(value: unknown, fail: Fail): "auto" | undefined {
  if (value === "auto") return value;
  if (value !== "never") return oneOf("create", ["auto"])(value, fail);
  const message =
    "create: never is not possible: a relay pod answers only the kfwd that made it, by a key made for that one pod";
  const hint = "`relay.namespace` names a namespace in which you may create pods";
  fail({ code: "BadValue", message, hint });
  return undefined;
}

function readResources(value: unknown, fail: Fail): RelaySpec["resources"] {
  const map = Fielded.open("resources", value, fail);
  if (map === undefined) return undefined;
  const name = textLike("a resource", isLabelKey, "cpu, memory or another resource");
  const requests = map.read("requests", mapOf("requests", name, readQuantity));
  const limits = map.read("limits", mapOf("limits", name, readQuantity));
  return map.isGood() ? { ...(requests && { requests }), ...(limits && { limits }) } : undefined;
}

function readQuantity(value: unknown, fail: Fail): string | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && QUANTITY.test(text)) return text;
  const message = `a quantity must be like 50m, 1 or 32Mi, got ${shown(value)}`;
  fail({ code: "BadValue", message });
  return undefined;
}

function readToleration(value: unknown, fail: Fail): Readonly<Record<string, string | number>> | undefined {
  const map = Fielded.open("a toleration", value, fail, "{ key: dedicated, operator: Exists }");
  if (map === undefined) return undefined;
  const key = map.read("key", textLike("key", isLabelKey, "the key of a taint"));
  const word = (what: string, words: readonly string[]): string | undefined =>
    map.read(
      what,
      textLike(what, (text) => words.includes(text), words.join(" or ")),
    );
  const operator = word("operator", ["Exists", "Equal"]);
  const effect = word("effect", ["NoSchedule", "PreferNoSchedule", "NoExecute"]);
  const own = map.read("value", textLike("value", isLabelValue, "a label's value"));
  const seconds = map.read("tolerationSeconds", (one, tell) => {
    if (typeof one === "number" && Number.isInteger(one)) return one;
    tell({ code: "BadValue", message: `tolerationSeconds must be a whole number, got ${shown(one)}` });
    return undefined;
  });
  if (!map.isGood()) return undefined;
  return {
    ...(key !== undefined && { key }),
    ...(operator !== undefined && { operator }),
    ...(own !== undefined && { value: own }),
    ...(effect !== undefined && { effect }),
    ...(seconds !== undefined && { tolerationSeconds: seconds }),
  };
}
