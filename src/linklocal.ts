/** Addresses and names that lead to a machine's own keeper of credentials: link-local ones, and those that clouds gave. Pure. */
import { unbracketed } from "./hostport.ts";

/** Well-known names of metadata services; a lookup of others is checked by what comes out. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
]);

/** Whether a host, by name or address, leads there as far as its text tells. */
export function isMetadataHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return METADATA_NAMES.has(name) || isMetadataAddress(name);
}

/** Whether an address is link-local, or one that a cloud has its metadata service on. */
export function isMetadataAddress(address: string): boolean {
  const v4 = parseV4(address);
  if (v4 !== undefined) return isMetadataV4(v4);
  const groups = parseV6(address);
  if (groups === undefined) return false;
  const [first = 0] = groups;
  if ((first & 0xffc0) === 0xfe80) return true;
  if (groups.join(":") === "64768:3778:0:0:0:0:0:596") return true; // fd00:ec2::254
  const [high = 0, low = 0] = groups.slice(6);
  return EMBEDS_V4.has(groups.slice(0, 6).join(":")) && isMetadataV4(high * 0x1_0000 + low);
}

/** ::ffff:0:0/96, ::/96 and 64:ff9b::/96: an IPv4 address in other clothes. */
const EMBEDS_V4: ReadonlySet<string> = new Set(["0:0:0:0:0:65535", "0:0:0:0:0:0", "100:65435:0:0:0:0"]);

/** 100.100.100.200, which one cloud has. */
const OUTSIDE_LINK_LOCAL = 0x6464_64c8;

function isMetadataV4(address: number): boolean {
  return Math.floor(address / 0x1_0000) === 0xa9fe || address === OUTSIDE_LINK_LOCAL;
}

/** In all the forms that resolvers take for an address: `169.254.1`, `0xa9fe0001` and `2851995649` are ones, too. */
function parseV4(text: string): number | undefined {
  const parts = text.split(".").map(parsePart);
  const values = parts.filter((part) => part !== undefined);
  if (values.length !== parts.length || values.length > 4) return undefined;
  const last = values.pop() ?? 0;
  if (values.some((value) => value > 255) || last >= 256 ** (4 - values.length)) return undefined;
  return values.reduce((sum, value, i) => sum + value * 256 ** (3 - i), last);
}

function parsePart(part: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(part)) return Number.parseInt(part, 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9][0-9]*$/.test(part) ? Number(part) : undefined;
}

/** Eight groups. */
function parseV6(text: string): readonly number[] | undefined {
  const [plain = ""] = unbracketed(text).split("%", 1);
  if (!plain.includes(":")) return undefined;
  const [head = "", tail, ...more] = plain.split("::");
  const before = parseGroups(head);
  const after = tail === undefined ? [] : parseGroups(tail);
  if (before === undefined || after === undefined || more.length > 0) return undefined;
  const missing = 8 - before.length - after.length;
  if (missing < 0 || (tail === undefined && missing > 0)) return undefined;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

function parseGroups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":").flatMap((group): (number | undefined)[] => {
    if (!group.includes("."))
      return [/^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : undefined];
    const v4 = parseV4(group);
    return v4 === undefined ? [undefined] : [Math.floor(v4 / 0x1_0000), v4 % 0x1_0000];
  });
  const values = groups.filter((group) => group !== undefined);
  return values.length === groups.length ? values : undefined;
}
