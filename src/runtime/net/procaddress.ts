/** Socket addresses as the tables of /proc/net have them. */
import { isIPv4, isIPv6 } from "node:net";

/** Hex, each 32-bit word in the byte order of the machine; undefined when it is no address. */
export function procAddress({
  address,
  port,
}: {
  readonly address: string;
  readonly port: number;
}): string | undefined {
  const words = isIPv4(address) ? [v4Bytes(address)] : isIPv6(address) ? v6Words(address) : undefined;
  if (words === undefined) return undefined;
  const text = words.map((bytes) => bytes.toReversed().map(hexByte).join("")).join("");
  return `${text}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

function v4Bytes(address: string): number[] {
  return address.split(".").map(Number);
}

/** Four words of four bytes. */
function v6Words(address: string): number[][] {
  const [plain = ""] = address.split("%", 1);
  const [head = "", tail] = plain.split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 16 - before.length - after.length }, () => 0);
  const bytes = [...before, ...zeros, ...after];
  return [0, 4, 8, 12].map((start) => bytes.slice(start, start + 4));
}

/** The last group may be an IPv4 address. */
function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return v4Bytes(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function hexByte(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
