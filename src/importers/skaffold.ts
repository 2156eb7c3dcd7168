/** `portForward` of a skaffold.yaml, at its top and in its profiles. */
import { DraftBuilder, type Draft } from "./draft.ts";
import { bagOf, bagsOf, documentsOf, isTemplate, portNumberOf, portOf, textOf, type Bag } from "./values.ts";

export function looksLikeSkaffold(documents: readonly Bag[]): boolean {
  return documents.some((document) => textOf(document["apiVersion"])?.startsWith("skaffold/"));
}

export function readSkaffold(text: string): Draft {
  const builder = new DraftBuilder();
  for (const document of documentsOf(text, builder)) {
    for (const item of bagsOf(document["portForward"])) readItem(item, undefined, builder);
    for (const profile of bagsOf(document["profiles"])) {
      for (const item of bagsOf(profile["portForward"])) readItem(item, textOf(profile["name"]), builder);
      if (bagsOf(profile["patches"]).some((patch) => textOf(patch["path"])?.startsWith("/portForward")))
        builder.leaveOut(
          `patches of profile ${textOf(profile["name"]) ?? ""}`,
          "kfwd does not apply patches",
        );
    }
  }
  return builder.draft;
}

function readItem(item: Bag, profile: string | undefined, builder: DraftBuilder): void {
  const name = textOf(item["resourceName"]);
  const type = textOf(item["resourceType"])?.toLowerCase();
  const port = portOf(item["port"]) ?? portOf(bagOf(item["port"])?.["StrVal"]);
  const what = `${type ?? "?"}/${name ?? "?"}`;
  if (name === undefined || type === undefined || port === undefined) {
    builder.leaveOut(what, "it lacks resourceType, resourceName or port");
    return;
  }
  if (type === "container" || isTemplate(name)) {
    builder.leaveOut(what, "only Skaffold knows which pod that is");
    return;
  }
  const remarks: string[] = [];
  if (profile !== undefined) remarks.push(`of Skaffold's profile ${profile}`);
  const namespace = textOf(item["namespace"]);
  if (namespace !== undefined && isTemplate(namespace)) remarks.push(`its namespace was ${namespace}`);
  const wanted = portNumberOf(item["localPort"]) ?? (typeof port === "number" ? port : undefined);
  if (wanted === undefined) remarks.push("Skaffold would choose the local port");
  const address = textOf(item["address"]);
  builder.add({
    name,
    target: `${type}/${name}`,
    namespace: namespace !== undefined && isTemplate(namespace) ? undefined : namespace,
    port,
    local: wanted ?? "auto",
    bind: address === undefined || address === "127.0.0.1" ? undefined : [address],
    remarks,
  });
}
