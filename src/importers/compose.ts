/** `ports` of a compose file: what is published there, as forwards to Services of the same names. */
import { DraftBuilder, type Draft } from "./draft.ts";
import { bagOf, documentsOf, isTemplate, listOf, portNumberOf, textOf, type Bag } from "./values.ts";

export function looksLikeCompose(documents: readonly Bag[]): boolean {
  return documents.some((file) => {
    const services = Object.values(bagOf(file["services"]) ?? {});
    return services.some((service) => listOf(bagOf(service)?.["ports"]).length > 0);
  });
}

const GUESS = "a guess: a Service of the compose service's name, with the container's port";

/** Longest row of ports that is written out. */
const ROW_MAX = 20;

interface Published {
  readonly bind: string | undefined;
  /** First of as many as there are of `port`. */
  readonly local: number | "auto";
  readonly port: number;
  readonly count: number;
  readonly protocol: string;
}

export function readCompose(text: string): Draft {
  const builder = new DraftBuilder();
  for (const file of documentsOf(text, builder)) {
    for (const [name, service] of Object.entries(bagOf(file["services"]) ?? {})) {
      const items = listOf(bagOf(service)?.["ports"]);
      const published = items.flatMap((item) => readItem(name, item, builder));
      const isOnly = published.length === 1 && published[0]?.count === 1;
      for (const row of published) addRow(name, row, isOnly, builder);
    }
  }
  return builder.draft;
}

function readItem(name: string, item: unknown, builder: DraftBuilder): readonly Published[] {
  const bag = bagOf(item);
  const said = bag === undefined ? (textOf(item) ?? "a port") : JSON.stringify(bag);
  const filled = withDefaults(said);
  const found = bag === undefined ? readShort(filled) : readLong(bag);
  const why = isTemplate(filled)
    ? "it has a variable without a default"
    : "it cannot be read as a published port";
  if (found === undefined) builder.leaveOut(`${name}: ${said}`, why);
  else if (found.protocol !== "tcp" && found.protocol !== "udp")
    builder.leaveOut(`${name}: ${said}`, `kfwd knows tcp and udp, not ${found.protocol}`);
  else if (found.count > ROW_MAX) builder.leaveOut(`${name}: ${said}`, `it is more than ${ROW_MAX} ports`);
  else return [found];
  return [];
}

/** `${PORT:-8080}` is 8080 where nobody sets it. */
function withDefaults(text: string): string {
  return text.replaceAll(/\$\{\w+:?-([^${}]*)\}/g, "$1");
}

function addRow(name: string, row: Published, isOnly: boolean, builder: DraftBuilder): void {
  for (let index = 0; index < row.count; index++) {
    const port = row.port + index;
    builder.add({
      name: isOnly ? name : `${name}-${port}`,
      target: `svc/${name}`,
      port,
      local: row.local === "auto" ? "auto" : row.local + index,
      bind: row.bind === undefined || row.bind === "127.0.0.1" ? undefined : [row.bind],
      protocol: row.protocol === "udp" ? "udp" : undefined,
      remarks: [GUESS],
    });
  }
}

/** `[ip:][published:]target[/protocol]`; all but the address may be ranges. */
function readShort(text: string): Published | undefined {
  const [, bracketed, bare, localText, portText, protocol = "tcp"] =
    /^(?:(?:\[([0-9a-f:.]+)\]|(\d+\.[\d.]+)):)?(?:([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text) ?? [];
  const port = rangeOf(portText);
  const isAny = localText === undefined || localText === "";
  const local = isAny ? undefined : rangeOf(localText);
  if (port === undefined || (!isAny && local?.count !== port.count)) return undefined;
  const bind = bracketed ?? bare;
  return { bind, local: local?.first ?? "auto", port: port.first, count: port.count, protocol };
}

function readLong(bag: Bag): Published | undefined {
  const port = portNumberOf(bag["target"]);
  const published = textOf(bag["published"]);
  const local = published === undefined ? "auto" : portNumberOf(withDefaults(published));
  if (port === undefined || local === undefined) return undefined;
  const protocol = textOf(bag["protocol"]) ?? "tcp";
  return { bind: textOf(bag["host_ip"]), local, port, count: 1, protocol };
}

function rangeOf(text: string | undefined): { readonly first: number; readonly count: number } | undefined {
  const [firstText, lastText = firstText, more] = text?.split("-") ?? [];
  const first = portNumberOf(firstText);
  const last = portNumberOf(lastText);
  if (first === undefined || last === undefined || last < first || more !== undefined) return undefined;
  return { first, count: last - first + 1 };
}
