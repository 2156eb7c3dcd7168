/** The local ports that a compose file publishes, as far as can be told from its lines: for a warning, never more. */

const PORT_ITEM = /^-\s*["']?(?:[0-9.]+:)?([0-9]{1,5}):[0-9]{1,5}(?:\/tcp)?["']?\s*(?:#.*)?$/;
const PUBLISHED = /^(?:-\s*)?published:\s*["']?([0-9]{1,5})["']?\s*(?:#.*)?$/;
const FLOW = /^ports:\s*\[(.*)\]/;
const FLOW_ITEM = /(?:^|[\s"'])(?:[0-9.]+:)?([0-9]{1,5}):[0-9]{1,5}(?:\/tcp)?(?=$|[\s"',])/g;
const LINES_MAX = 20_000;

/** Each port with the name of the service that publishes it. */
export function composePorts(text: string): ReadonlyMap<number, string> {
  const ports = new Map<number, string>();
  let service: string | undefined;
  let serviceIndent: number | undefined;
  let isInServices = false;
  for (const line of text.split("\n", LINES_MAX)) {
    const words = line.trim();
    if (words === "" || words.startsWith("#")) continue;
    const indent = line.length - line.trimStart().length;
    if (indent === 0) {
      isInServices = words.startsWith("services:");
      serviceIndent = undefined;
      continue;
    }
    if (!isInServices) continue;
    serviceIndent ??= indent;
    if (indent === serviceIndent) service = /^["']?([\w.-]+)["']?:/.exec(words)?.[1];
    for (const port of portsOf(words)) if (service !== undefined) ports.set(port, service);
  }
  return ports;
}

function portsOf(words: string): readonly number[] {
  const flow = FLOW.exec(words)?.[1];
  const found =
    flow === undefined
      ? [PORT_ITEM.exec(words)?.[1] ?? PUBLISHED.exec(words)?.[1]]
      : [...flow.matchAll(FLOW_ITEM)].map((match) => match[1]);
  return found.flatMap((port) => (port === undefined ? [] : [Number(port)]));
}
