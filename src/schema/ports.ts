/** `ports`: several ports of one target, each as `[local:]port[/protocol]`. */
import { readLocal, readPort } from "./port.ts";
import { quoted, shown } from "../printable.ts";
import type { Fail, Problem } from "./problem.ts";

/** One item of the list. */
export interface PortItem {
  /** Absent: the number of `port`. */
  readonly local?: number | "auto";
  readonly port: number | string;
  readonly protocol?: "tcp" | "udp";
}

const PORTS_MAX = 50;

/** The list; a single port may stand alone. */
export function readPorts(value: unknown, fail: Fail): readonly PortItem[] | undefined {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  if (items.length === 0 || items.length > PORTS_MAX) {
    const message =
      items.length > PORTS_MAX
        ? `ports has more than ${PORTS_MAX} items`
        : `ports must be a list, got ${Array.isArray(value) ? "an empty one" : shown(value)}`;
    fail({ code: "WrongType", message, hint: 'ports: ["9092:kafka", "8081:registry"]' });
    return undefined;
  }
  const read: PortItem[] = [];
  const names = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const tell: Fail = (problem) => fail({ ...problem, path: [index, ...(problem.path ?? [])] });
    const found = readItem(item, tell);
    if (found === undefined) continue;
    const name = String(found.port);
    if (names.has(name)) {
      tell({ code: "GivenTwice", message: `ports has ${quoted(name)} twice` });
      continue;
    }
    names.set(name, index);
    read.push(found);
  }
  return read.length === items.length ? read : undefined;
}

function readItem(item: unknown, fail: Fail): PortItem | undefined {
  if (typeof item !== "string" && typeof item !== "number") {
    const message = `an item of ports must be [local:]port[/protocol], got ${shown(item)}`;
    fail({ code: "WrongType", message, hint: '"9092:kafka"' });
    return undefined;
  }
  const text = String(item);
  const [, localText, portText = "", protocol] = /^(?:([^:/]*):)?([^:/]*)(?:\/(.*))?$/.exec(text) ?? [];
  if (portText === "") {
    const message = `cannot read ${quoted(text)}: expected [local:]port[/protocol]`;
    fail({ code: "BadCompact", message, hint: 'as in "9092:kafka"' });
    return undefined;
  }
  const portIndex = localText === undefined ? 0 : localText.length + 1;
  const local = localText === undefined ? undefined : readLocal(localText, within(fail, 0, localText.length));
  const port = readPort(portText, "port", within(fail, portIndex, portText.length));
  if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp") {
    const part = { index: portIndex + portText.length + 1, length: protocol.length };
    fail({ code: "BadValue", message: `protocol must be "tcp" or "udp", got ${quoted(protocol)}`, part });
    return undefined;
  }
  if (port === undefined || (localText !== undefined && local === undefined)) return undefined;
  return { port, ...(local !== undefined && { local }), ...(protocol && { protocol }) };
}

function within(fail: Fail, index: number, length: number): Fail {
  return (problem: Problem) => fail({ ...problem, part: { index, length } });
}
