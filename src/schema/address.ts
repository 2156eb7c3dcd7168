/** Addresses to bind: which are IP addresses, which are loopback, which two cannot be bound on one port. */
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";

/** An address in one spelling: `4:127.0.0.1`, `6:0:0:0:0:0:0:0:1`; the number is the family. */
type Canonical = string;

/** What stands for every address of a family. */
const ANY: Readonly<Record<string, Canonical>> = { "4:": "4:0.0.0.0", "6:": "6:0:0:0:0:0:0:0:0" };
const LOCALHOST: readonly Canonical[] = ["4:127.0.0.1", "6:0:0:0:0:0:0:0:1"];
const IPV6_GROUPS = 8;

/** All addresses of the machine, of both families. */
const EVERYWHERE = ["0.0.0.0", "::"] as const;

/** Stands for the address at which containers of Docker reach this machine. */
export const DOCKER = "docker";

/**
 * `localhost`, `all`, `docker`, an IP address, or a list of them of which no two overlap. What `docker` stands for is
 * not known here.
 */
export function readBind(value: unknown, fail: Fail): readonly string[] | undefined {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.length === 0) {
    fail({ code: "BadAddress", message: "bind must name at least one address" });
    return undefined;
  }
  const addresses: string[] = [];
  let good = true;
  const claims = new AddressClaims<string>();
  for (const [index, item] of items.entries()) {
    const path = Array.isArray(value) ? [index] : [];
    if (typeof item !== "string" || addressesOf(item).length === 0) {
      const message = `bind must be "localhost", "all", "docker" or an IP address, got ${shown(item)}`;
      fail({ code: "BadAddress", message, path });
      good = false;
      continue;
    }
    for (const address of addressesOf(item)) {
      const other = address === DOCKER ? undefined : claims.claim(address, item);
      if (other === undefined) {
        addresses.push(address);
        continue;
      }
      const message = `bind has both ${quoted(other)} and ${quoted(item)}, which overlap`;
      fail({ code: "BadAddress", message, path });
      good = false;
      break;
    }
  }
  return good ? addresses : undefined;
}

/** What a word of `bind` stands for; empty when it means nothing. */
function addressesOf(word: string): readonly string[] {
  if (word === "all") return EVERYWHERE;
  return word === DOCKER || canonical(word).length > 0 ? [word] : [];
}

/** An IP address in figures, for names that must not be one or must. */
export function isIpAddress(text: string): boolean {
  return text !== "localhost" && canonical(text).length > 0;
}

/** Whether only this machine can connect to it. */
export function isLoopback(address: string): boolean {
  if (address === DOCKER) return false;
  return canonical(address).every((one) => one.startsWith("4:127.") || one === LOCALHOST[1]);
}

/** Who has which address of one port; a claim takes the same time however many there are. */
export class AddressClaims<T> {
  readonly #owners = new Map<Canonical, T>();

  /** Claims an address, or answers who holds one that overlaps; then nothing is claimed. */
  claim(address: string, owner: T): T | undefined {
    const wanted = canonical(address);
    for (const one of wanted) {
      const holder = this.#holderOf(one);
      if (holder !== undefined) return holder;
    }
    for (const one of wanted) {
      this.#owners.set(one, owner);
      const family = familyOf(one);
      if (!this.#owners.has(family)) this.#owners.set(family, owner);
    }
    return undefined;
  }

  #holderOf(one: Canonical): T | undefined {
    const family = familyOf(one);
    if (one === ANY[family]) return this.#owners.get(family);
    return this.#owners.get(one) ?? this.#owners.get(ANY[family] ?? one);
  }
}

function familyOf(one: Canonical): string {
  return one.slice(0, 2);
}

/** The addresses a word of `bind` stands for; empty when it is none. */
function canonical(word: string): readonly Canonical[] {
  if (word === "localhost") return LOCALHOST;
  if (isIpv4(word)) return [`4:${word}`];
  const groups = ipv6Groups(word);
  if (groups === undefined) return [];
  const [high = 0, low = 0] = groups.slice(-2);
  const isMappedIpv4 = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMappedIpv4) return [`4:${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`];
  return [`6:${groups.map((group) => group.toString(16)).join(":")}`];
}

function isIpv4(word: string): boolean {
  const parts = word.split(".");
  return (
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** The eight groups of an IPv6 address as RFC 4291 writes it, without a zone; undefined when it is none. */
function ipv6Groups(word: string): readonly number[] | undefined {
  const halves = word.split("::");
  if (halves.length > 2 || !word.includes(":")) return undefined;
  const [front, back] = halves.map((half) => groupsOf(half));
  if (front === undefined || (halves.length === 2 && halves[0]?.includes("."))) return undefined;
  if (halves.length === 1) return front.length === IPV6_GROUPS ? front : undefined;
  if (back === undefined || front.length + back.length >= IPV6_GROUPS) return undefined;
  const zeros = Array.from({ length: IPV6_GROUPS - front.length - back.length }, () => 0);
  return [...front, ...zeros, ...back];
}

function groupsOf(half: string): readonly number[] | undefined {
  if (half === "") return [];
  const words = half.split(":");
  const last = words.at(-1) ?? "";
  const groups: number[] = [];
  for (const word of isIpv4(last) ? words.slice(0, -1) : words) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(word)) return undefined;
    groups.push(Number.parseInt(word, 16));
  }
  if (isIpv4(last)) {
    const [a = 0, b = 0, c = 0, d = 0] = last.split(".").map(Number);
    groups.push(a * 256 + b, c * 256 + d);
  }
  return groups;
}
