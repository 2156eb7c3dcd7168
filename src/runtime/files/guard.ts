/** What stands between a file and the clusters and ports of who runs it: protected contexts, and trust. */
import { createHash } from "node:crypto";
import { quoted } from "../../printable.ts";
import type { TrustDemand } from "../../schema/details.ts";
import type { ParseResult } from "../../schema/parse.ts";
import type { PlaceFacts } from "../daemon/place.ts";
import { currentContextOf, kubeconfigPaths, lookAtKubeconfig } from "./kubefacts.ts";
import type { LoadedConfig } from "./projectload.ts";
import { protectingGlob, type ProtectedContext } from "./protect.ts";
import { areTrusted, trust, type ReadFile } from "./trust.ts";

/** Files that are right. */
export interface GoodConfig extends LoadedConfig {
  readonly parsed: Extract<ParseResult, { readonly kind: "valid" }>;
}

/** The first protected context among those of the forwards; `names` null: of all of them. */
export function protectedContext(
  { parsed }: GoodConfig,
  names: readonly string[] | null,
  allowed: readonly string[],
  facts: PlaceFacts,
): ProtectedContext | undefined {
  const { protect = [], forwards } = parsed.project;
  if (protect.length === 0) return undefined;
  const current = new Map<string | undefined, string | undefined>();
  for (const { name, context: own, kubeconfig } of forwards) {
    if (names !== null && !names.includes(name)) continue;
    if (own === undefined && !current.has(kubeconfig)) {
      current.set(kubeconfig, currentContextOf(kubeconfigPaths(kubeconfig, facts.env, facts.home)));
    }
    const context = own ?? current.get(kubeconfig);
    const glob = protectingGlob(context, protect, allowed);
    if (context !== undefined && glob !== undefined) return { context, glob, forward: name };
  }
  return undefined;
}

/** What the files want that needs trust, and every file whose contents matter for that. */
export interface TrustQuestion {
  readonly demands: readonly TrustDemand[];
  readonly files: readonly ReadFile[];
}

/** `flagged`: the kubeconfig of the command line, which is the user's own choice. */
export function trustQuestion(
  { parsed, root, read }: GoodConfig,
  flagged: string | undefined,
  facts: PlaceFacts,
): TrustQuestion {
  const demands: TrustDemand[] = [...parsed.details.demands];
  const files: ReadFile[] = [...read];
  const seen = new Set<string>();
  for (const { name, kubeconfig, source } of parsed.project.forwards) {
    if (kubeconfig === undefined || kubeconfig === flagged || seen.has(kubeconfig)) continue;
    seen.add(kubeconfig);
    const found = lookAtKubeconfig(kubeconfig, root, facts.uid);
    if (found === undefined) continue;
    files.push({ path: found.path, sha256: createHash("sha256").update(found.bytes).digest("hex") });
    if (found.danger === undefined) continue;
    const message = `forward ${quoted(name)} uses a kubeconfig that is not your own, ${found.path}, and ${found.danger}`;
    demands.push({ kind: "kubeconfig-exec", message, source });
  }
  return { demands, files };
}

/** Whether the user has allowed all of the files as they are now. */
export function isAllowed({ files }: TrustQuestion, facts: PlaceFacts): boolean {
  return files.length > 0 && areTrusted(files, facts);
}

/** Allows the files as they are now. @throws KfwdError `STATE_FOLDER`. */
export function allow({ files }: TrustQuestion, facts: PlaceFacts): void {
  trust(files, facts);
}
