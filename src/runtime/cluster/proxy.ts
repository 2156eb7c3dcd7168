/** Which proxy leads to an API server: the kubeconfig's `proxy-url`, else what the environment says, as Go reads it. */
import { hostPort, unbracketed } from "../../hostport.ts";
import { bypassesProxy } from "./proxybypass.ts";

/** A proxy to tunnel through. */
export interface ProxyServer {
  /** `socks5` resolves names at the proxy. */
  readonly scheme: "http" | "https" | "socks5";
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** A secret, percent-decoded. */
  readonly login: { readonly user: string; readonly password: string } | undefined;
  /** What names it: `proxy-url`, or a variable such as `HTTPS_PROXY`. */
  readonly source: string;
}

/** Either a proxy, or none, or what is wrong with the setting that names one; the words hold no password. */
export type ProxyChoice =
  | { readonly kind: "proxy"; readonly proxy: ProxyServer }
  | { readonly kind: "direct" }
  | { readonly kind: "invalid"; readonly source: string; readonly what: string };

/** What a proxy is chosen by. */
export interface ProxySettings {
  readonly server: URL;
  /** Of the cluster in the kubeconfig. */
  readonly proxyUrl: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A `proxy-url` holds for every server, even a local one; the environment's proxy yields to `NO_PROXY`. */
export function chooseProxy({ server, proxyUrl, env }: ProxySettings): ProxyChoice {
  if (proxyUrl !== undefined) return parse(proxyUrl, "proxy-url");
  const names = server.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  const source = names.find((name) => env[name]);
  const value = env[source ?? ""];
  if (source === undefined || value === undefined) return { kind: "direct" };
  const { host, port } = serverAddress(server);
  if (bypassesProxy(host, port, env["NO_PROXY"] || env["no_proxy"] || "")) return { kind: "direct" };
  const url = value.includes("://") ? value : `http://${value}`;
  return parse(url, source);
}

/** Where a URL leads; the host has no brackets. */
export function serverAddress(server: URL): { readonly host: string; readonly port: number } {
  const host = unbracketed(server.hostname);
  const standard = server.protocol === "https:" ? 443 : 80;
  return { host, port: server.port === "" ? standard : Number(server.port) };
}

/** As messages name it: `proxy.corp.test:3128`. */
export function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return hostPort(host, port);
}

const SCHEMES = {
  "http:": { scheme: "http", port: 80 },
  "https:": { scheme: "https", port: 443 },
  "socks5:": { scheme: "socks5", port: 1080 },
  "socks5h:": { scheme: "socks5", port: 1080 },
} as const;

/** RFC 1929 has one byte for the length of each. */
const SOCKS5_LOGIN_MAX_BYTES = 255;

function parse(text: string, source: string): ProxyChoice {
  const invalid = (what: string): ProxyChoice => ({ kind: "invalid", source, what });
  const protocol = /^[a-z][a-z0-9+.-]*:(?=\/\/)/i.exec(text)?.[0].toLowerCase();
  const known = Object.entries(SCHEMES).find(([name]) => name === protocol)?.[1];
  if (known === undefined) {
    return invalid(`${protocol ? `begins with "${protocol}//"` : "has no scheme"}; possible are ${POSSIBLE}`);
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A raw "/", "?" or "#" in a password ends the host early: what follows must not be taken for a place, nor shown.
  if (url === undefined || `${url.pathname}${url.search}${url.hash}`.includes("@")) {
    const advice = ": special characters in user and password must be percent-encoded";
    return invalid(`is not a URL${text.includes("@") ? advice : ""}`);
  }
  if (url.hostname === "") return invalid("names no host");
  const login = loginOf(url);
  if (login === "malformed") return invalid("has a user or password that is not percent-encoded");
  if (known.scheme === "socks5" && login && !fitsSocks5(login)) {
    return invalid("has a user or password that SOCKS5 cannot carry: 1 to 255 bytes");
  }
  const host = unbracketed(url.hostname);
  const port = url.port === "" ? known.port : Number(url.port);
  return { kind: "proxy", proxy: { scheme: known.scheme, host, port, login, source } };
}

const POSSIBLE = "http://, https:// and socks5://";

function loginOf({ username, password }: URL): ProxyServer["login"] | "malformed" {
  if (username === "" && password === "") return undefined;
  try {
    return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return "malformed";
  }
}

function fitsSocks5({ user, password }: { readonly user: string; readonly password: string }): boolean {
  const isTooLong = [user, password].some((text) => Buffer.byteLength(text) > SOCKS5_LOGIN_MAX_BYTES);
  return user !== "" && !isTooLong;
}
