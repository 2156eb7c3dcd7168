/** Which servers `NO_PROXY` keeps from a proxy, read as Go reads it (x/net `http/httpproxy`). */
import { BlockList, isIP, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

/** Says whether a server is reached without the environment's proxy. `host` has no brackets. */
export function bypassesProxy(host: string, port: number, noProxy: string): boolean {
  if (host === "localhost" || isLoopback(host)) return true;
  const entries = noProxy
    .toLowerCase()
    .split(",")
    .map((entry) => entry.trim());
  if (entries.includes("*")) return true;
  return entries.some((entry) => entry !== "" && matches(entry, host, port));
}

function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && LOOPBACK.check(host, familyOf(host));
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4"); // takes in ::ffff:127.0.0.0/104
LOOPBACK.addAddress("::1", "ipv6");

function matches(entry: string, host: string, port: number): boolean {
  const subnet = subnetOf(entry);
  if (subnet) return isIP(host) !== 0 && subnet.check(host, familyOf(host));
  const { host: name, port: only } = split(entry);
  if (name === "" || (only !== "" && only !== String(port))) return false;
  if (isIP(name)) return isIP(host) !== 0 && listOf(name).check(host, familyOf(host));
  return isIP(host) === 0 && matchesDomain(name, host.toLowerCase());
}

/** `corp.test` stands for itself and what is below it, `.corp.test` and `*.corp.test` for what is below alone. */
function matchesDomain(entry: string, host: string): boolean {
  const name = entry.replace(/^\*(?=\.)/, "");
  const isBelowOnly = name.startsWith(".");
  const bare = isBelowOnly ? name.slice(1) : name;
  const ascii = domainToASCII(bare) || bare;
  return host.endsWith(`.${ascii}`) || (!isBelowOnly && host === ascii);
}

function subnetOf(entry: string): BlockList | undefined {
  const [, address = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), familyOf(address));
  return list;
}

function listOf(address: string): BlockList {
  const list = new BlockList();
  list.addAddress(address, familyOf(address));
  return list;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

/** Host and port of an entry; an IPv6 address has a port only where it stands in brackets. */
function split(entry: string): { readonly host: string; readonly port: string } {
  const [, inBrackets, name, port = ""] = /^(?:\[(.*)\]|([^:[\]]*)):([^:]*)$/.exec(entry) ?? [];
  const host = inBrackets ?? name;
  return host === undefined ? { host: entry, port: "" } : { host, port };
}
