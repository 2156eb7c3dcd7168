/** What must be known of kubeconfigs before a supervisor reads them: cheap enough for every `up`, without Kubernetes' code. */
import { realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { isMap, isScalar, isSeq, parseDocument } from "yaml";
import { readRegularFile } from "../../readfile.ts";
import { isInside } from "./includefile.ts";

const KUBECONFIG_MAX_BYTES = 8 * 1024 * 1024;
/** Of a kubeconfig that a repository brings along; one with more in it counts as dangerous. */
const SUSPECT_MAX_BYTES = 128 * 1024;

/** The files a kubeconfig may consist of: the one that is named, else `$KUBECONFIG`, else the user's own. */
export function kubeconfigPaths(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): readonly string[] {
  if (named !== undefined) return [named];
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  return listed.length > 0 ? listed : [join(home, ".kube", "config")];
}

/** How nearly every kubeconfig has it; to parse one of many clusters takes longer than all else that `up` does here. */
const PLAIN_LINE =
  /^current-context:[ \t]+(?:"([^"\\\n]*)"|'([^'\n]*)'|([A-Za-z0-9_](?:[^\s#:]|:(?=\S)|#)*))[ \t]*(?:[ \t]#.*)?\r?$(?!\r?\n[ \t]+\S)/m;

/** The current context of the first file that names one; undefined where none does. */
export function currentContextOf(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const context = currentContextIn(textOf(path) ?? "");
    if (context !== undefined && context !== "") return context;
  }
  return undefined;
}

/** What is not said once and plainly is for a parser to read: a protected context must not pass for another. */
function currentContextIn(text: string): string | undefined {
  const times = text.split("current-context", 3).length - 1;
  if (times === 0) return undefined;
  const [, double, single, plain] = (times === 1 && PLAIN_LINE.exec(text)) || [];
  return double ?? single ?? plain ?? parsedContext(text);
}

function parsedContext(text: string): string | undefined {
  try {
    const config: unknown = parseDocument(text, { uniqueKeys: false, logLevel: "silent" }).toJS();
    if (typeof config !== "object" || config === null || !("current-context" in config)) return undefined;
    const { "current-context": context } = config;
    return typeof context === "string" ? context : undefined;
  } catch {
    return undefined; // whoever uses it says what is wrong with it
  }
}

function textOf(path: string): string | undefined {
  try {
    return readRegularFile(path, KUBECONFIG_MAX_BYTES).toString("utf8");
  } catch {
    return undefined; // whoever uses it says what is wrong with it
  }
}

/** Keys by which a kubeconfig runs a program, or sends the contents of a file to its server. */
const DANGEROUS_KEYS = ["exec", "auth-provider", "tokenFile"];

/** A kubeconfig that a repository brings along, or that is another user's. */
export interface ForeignKubeconfig {
  /** Symlinks resolved. */
  readonly path: string;
  readonly bytes: Buffer;
  /** What in it could harm who uses it; undefined: nothing. */
  readonly danger: string | undefined;
}

/** Undefined for a kubeconfig of the user's own, and for one that is not there. */
export function lookAtKubeconfig(
  path: string,
  root: string,
  uid: number | undefined,
): ForeignKubeconfig | undefined {
  try {
    const real = realpathSync.native(path);
    const owner = statSync(real).uid;
    const isForeign = isInside(real, root) || (uid !== undefined && owner !== uid && owner !== 0);
    if (!isForeign) return undefined;
    const bytes = readRegularFile(real, KUBECONFIG_MAX_BYTES);
    return { path: real, bytes, danger: dangerIn(bytes) };
  } catch {
    return undefined;
  }
}

function dangerIn(bytes: Buffer): string | undefined {
  if (bytes.length > SUSPECT_MAX_BYTES) return "it is too large to be looked through";
  const document = parseDocument(bytes.toString("utf8"), { uniqueKeys: false, logLevel: "silent" });
  if (document.errors.length > 0 || document.warnings.length > 0) return "it is no plain YAML";
  const key = findKey(document.contents);
  return key === undefined ? undefined : `it has ${key}`;
}

function findKey(node: unknown): string | undefined {
  if (isSeq(node)) return node.items.map(findKey).find((key) => key !== undefined);
  if (!isMap(node)) return undefined;
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : "";
    const found = DANGEROUS_KEYS.find((one) => one === name) ?? findKey(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
