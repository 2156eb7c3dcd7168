/** `dev` of a devspace.yaml: ports of version 6 and later, and the lists of version 5. */
import { DraftBuilder, type Draft } from "./draft.ts";
import { nameOfPort } from "./portword.ts";
import {
  bagOf,
  bagsOf,
  documentsOf,
  isTemplate,
  listOf,
  portNumberOf,
  selectorOf,
  textOf,
  type Bag,
} from "./values.ts";

export function looksLikeDevSpace(documents: readonly Bag[]): boolean {
  return documents.some(
    (file) =>
      /^v\d+(?:alpha|beta)\d+$/.test(textOf(file["version"]) ?? "") && bagOf(file["dev"]) !== undefined,
  );
}

export function readDevSpace(text: string): Draft {
  const builder = new DraftBuilder();
  for (const file of documentsOf(text, builder)) {
    for (const [name, value] of Object.entries(bagOf(file["dev"]) ?? {})) {
      const entry = bagOf(value);
      if (name === "ports" && entry === undefined) readOldList(value, builder);
      else if (entry !== undefined) readEntry(name, entry, builder);
    }
  }
  return builder.draft;
}

function readEntry(name: string, entry: Bag, builder: DraftBuilder): void {
  if (listOf(entry["reversePorts"]).length > 0)
    builder.leaveOut(`${name}: reversePorts`, "kfwd forwards from this machine to the cluster only");
  const ports = bagsOf(entry["ports"]).map((item) => ({
    item,
    words: (textOf(item["port"]) ?? "").split(":"),
  }));
  for (const { item, words } of ports) add(name, entry, { item, words, isOnly: ports.length === 1 }, builder);
}

function readOldList(value: unknown, builder: DraftBuilder): void {
  for (const entry of bagsOf(value)) {
    const name =
      textOf(entry["name"]) ?? textOf(Object.values(bagOf(entry["labelSelector"]) ?? {})[0]) ?? "dev";
    const items = bagsOf(entry["forward"]);
    if (listOf(entry["reverseForward"]).length > 0)
      builder.leaveOut(`${name}: reverseForward`, "kfwd forwards from this machine to the cluster only");
    for (const item of items) {
      const local = textOf(item["port"]) ?? "";
      const words = [local, textOf(item["remotePort"]) ?? local];
      add(name, entry, { item, words, isOnly: items.length === 1 }, builder);
    }
  }
}

interface Port {
  readonly item: Bag;
  readonly words: readonly string[];
  readonly isOnly: boolean;
}

function add(name: string, entry: Bag, { item, words, isOnly }: Port, builder: DraftBuilder): void {
  const said = `${name}: ${words.join(":")}`;
  const selector = selectorOf(entry["labelSelector"]);
  if (selector === undefined) {
    const image = textOf(entry["imageSelector"]);
    builder.leaveOut(
      said,
      image === undefined
        ? "it has no labelSelector, and kfwd finds pods by labels"
        : `it finds its pod by the image ${image}, and kfwd finds pods by labels`,
    );
    return;
  }
  const [local, remote] = [portNumberOf(words[0]), portNumberOf(words[1] ?? words[0])];
  if (local === undefined || remote === undefined || words.length > 2) {
    builder.leaveOut(said, "it is no pair of port numbers");
    return;
  }
  const namespace = textOf(entry["namespace"]);
  const isKnown = namespace === undefined || !isTemplate(namespace);
  const address = textOf(item["bindAddress"]);
  builder.add({
    name: nameOfPort(name, remote, isOnly),
    target: { selector },
    namespace: isKnown ? namespace : undefined,
    port: remote,
    local,
    bind: address === undefined || address === "127.0.0.1" ? undefined : [address],
    remarks: isKnown ? [] : [`its namespace was ${namespace}`],
  });
}
