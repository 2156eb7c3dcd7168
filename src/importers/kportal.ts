/** kportal's .kportal.yaml: forwards by namespace by context. */
import { DraftBuilder, type Draft } from "./draft.ts";
import { bagsOf, documentsOf, portNumberOf, portOf, textOf, type Bag } from "./values.ts";

export function looksLikeKportal(documents: readonly Bag[]): boolean {
  return documents.some((file) =>
    bagsOf(file["contexts"]).some((context) => Array.isArray(context["namespaces"])),
  );
}

export function readKportal(text: string): Draft {
  const builder = new DraftBuilder();
  for (const file of documentsOf(text, builder)) {
    for (const context of bagsOf(file["contexts"])) {
      for (const namespace of bagsOf(context["namespaces"])) {
        for (const forward of bagsOf(namespace["forwards"])) {
          readForward(
            forward,
            { context: textOf(context["name"]), namespace: textOf(namespace["name"]) },
            builder,
          );
        }
      }
    }
  }
  return builder.draft;
}

interface Place {
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

function readForward(forward: Bag, place: Place, builder: DraftBuilder): void {
  const resource = textOf(forward["resource"]) ?? "";
  const selector = textOf(forward["selector"]);
  const port = portOf(forward["port"]);
  const what = textOf(forward["alias"]) ?? resource;
  if (resource === "" || port === undefined || (selector === undefined && !resource.includes("/"))) {
    builder.leaveOut(what === "" ? "a forward" : what, "it lacks resource, selector or port");
    return;
  }
  const local = portNumberOf(forward["localPort"]) ?? (typeof port === "number" ? port : "auto");
  const isPrefix = selector === undefined && /^(?:pod|pods|po)\//.test(resource);
  builder.add({
    name: what.replace(/^[a-z]+\//, ""),
    target: selector === undefined ? resource : { selector },
    ...place,
    port,
    local,
    protocol: textOf(forward["protocol"])?.toLowerCase() === "udp" ? "udp" : undefined,
    remarks: isPrefix
      ? ["kportal takes this for the start of a pod's name, kfwd for all of it: a selector serves better"]
      : [],
  });
}
