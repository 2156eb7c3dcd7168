/** Which cluster and namespace a forward is in. */
import { resolvePath } from "./paths.ts";
import { quoted } from "../printable.ts";
import { aboutOf, isGiven, inherited, type RawEntry, type Surroundings } from "./rawentry.ts";
import type { Report } from "./report.ts";

export interface Placing {
  readonly context?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly followContext?: true;
}

/** Undefined after reporting what contradicts itself. */
export function placingOf(
  entry: RawEntry,
  placed: { readonly namespace?: string },
  around: Surroundings,
  report: Report,
): Placing | undefined {
  const { values, spans } = entry.fields;
  const defaults = around.defaults.values;
  const namespaceAt = spans.get("namespace");
  const isTwice = placed.namespace !== undefined && namespaceAt !== undefined;
  if (isTwice && values.namespace !== placed.namespace) {
    const message = `${aboutOf(entry)} names two namespaces: ${quoted(placed.namespace)} in its target, and this`;
    const related = { message: "target is here", span: spans.get("target") ?? entry.nameAt };
    report.error({ code: "GivenTwice", message, span: namespaceAt, related });
    return undefined;
  }
  if (isGiven(values.context) && values.followContext === true) {
    const message = `${aboutOf(entry)} has a context, so it cannot follow another`;
    const span = spans.get("followContext") ?? entry.nameAt;
    report.error({ code: "GivenTwice", message, hint: "keep context or followContext", span });
    return undefined;
  }
  const follows =
    values.followContext ??
    (!isGiven(values.context) && around.overrides.context === undefined && defaults.followContext === true);
  const context = follows
    ? undefined
    : inherited(values.context, around.overrides.context ?? defaults.context);
  const namespace =
    placed.namespace ?? inherited(values.namespace, around.overrides.namespace ?? defaults.namespace);
  const kubeconfig = kubeconfigOf(entry, around);
  return {
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(follows && { followContext: true }),
  };
}

/** An absolute path: what a file says starts in the folder of that file, which has been checked. */
function kubeconfigOf(entry: RawEntry, around: Surroundings): string | undefined {
  const { values, spans } = entry.fields;
  const own = values.kubeconfig;
  if (own === null) return undefined;
  if (own === undefined && around.overrides.kubeconfig !== undefined) return around.overrides.kubeconfig;
  const path = own ?? around.defaults.values.kubeconfig;
  const base = (own === undefined ? around.defaults.spans : spans).get("kubeconfig")?.source.base;
  return path === undefined || base === undefined ? undefined : resolvePath(path, base);
}
