/** `kfwd import --from-cluster`: kftray's annotations on the Services of a cluster, as a forwards.yaml. */
import { resolve } from "node:path";
import { KfwdError } from "../errors.ts";
import { quoted } from "../printable.ts";
import { refuseBadNamespace } from "../runtime/index.ts";
import { complaintsOf } from "./complaints.ts";
import type { ImportFlags } from "./import.ts";
import type { World } from "./world.ts";

/** What was found, and what should be looked at. @throws KfwdError of exit status 2 or 4. */
export async function importFromCluster(
  world: World,
  flags: ImportFlags,
): Promise<{ readonly text: string; readonly forwards: number; readonly report: readonly string[] }> {
  const { context, namespace, kubeconfig, allNamespaces = false } = flags;
  refuseBadNamespace(namespace);
  const survey = await world.runtime.survey();
  try {
    const where = {
      ...(context !== undefined && { context }),
      ...(namespace !== undefined && { namespace }),
      ...(kubeconfig !== undefined && { kubeconfig: resolve(world.cwd, kubeconfig) }),
      scope: allNamespaces ? ("cluster" as const) : ("namespace" as const),
    };
    const { place, items, more } = await survey.serviceObjects(where, new AbortController().signal);
    const { importServices } = await world.loadImporters();
    const imported = importServices(items, context, complaintsOf);
    const there = allNamespaces
      ? `of context ${quoted(place.context)}`
      : `in namespace ${quoted(place.namespace)}`;
    if (imported.forwards === 0) {
      throw new KfwdError(
        "CONFIG_INVALID",
        `no Service ${there} has kftray's annotations with a forward in them`,
        {
          detail: imported.report.map((line) => `  ${line}`).join("\n") || undefined,
          hint: allNamespaces
            ? 'kftray reads Services with kftray.app/enabled: "true"'
            : "kfwd import --from-cluster -A looks in all namespaces",
        },
      );
    }
    const cut = more
      ? [`only the first ${items.length} Services were looked at: name a namespace with -n`]
      : [];
    return { ...imported, report: [...imported.report, ...cut] };
  } finally {
    await survey[Symbol.asyncDispose]();
  }
}
