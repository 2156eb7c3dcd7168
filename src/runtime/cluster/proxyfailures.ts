/** What a proxy did to us, as errors. Its login is never part of them. */
import { isOutOfFiles } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { dialFailure, nameOf, socketTrouble, UNTRUSTED, type ApiName } from "./failures.ts";
import { addressText, serverAddress, type ProxyServer } from "./proxy.ts";

/** The proxy itself cannot be connected to: `thrown` is what the socket said. */
export function proxyDialFailure(access: ApiName, proxy: ProxyServer, thrown: unknown): KfwdError {
  if (isOutOfFiles(thrown)) return dialFailure(access, thrown);
  const trouble = socketTrouble(thrown, proxy.host);
  return trouble === UNTRUSTED
    ? proxyUnreachable(access, proxy, {
        what: "its certificate is signed by an authority that this machine does not trust",
        hint: "name a file with the certificate of that authority in NODE_EXTRA_CA_CERTS",
      })
    : proxyUnreachable(access, proxy, { what: trouble.what, cause: thrown });
}

/** A proxy that let a deadline pass before it was asked for anything: `missing` says what did not come. */
export function proxyLate(access: ApiName, proxy: ProxyServer, missing: string, ms: number): KfwdError {
  return proxyUnreachable(access, proxy, { what: `${missing} within ${ms / 1000} s` });
}

function proxyUnreachable(
  access: ApiName,
  proxy: ProxyServer,
  trouble: { readonly what: string; readonly hint?: string; readonly cause?: unknown },
): KfwdError {
  const { what, hint = `is it up? ${placeOf(proxy)} names it`, cause } = trouble;
  const { server, context } = access;
  const direct = nameOf({ server, context, proxy: undefined });
  const message = `cannot reach proxy ${addressText(proxy)} on the way to ${direct}: ${what}`;
  return new KfwdError("UNREACHABLE", message, { hint, cause });
}

/** The proxy is there, but the connection behind it did not come about: `what` says why. */
export function tunnelFailure(access: ApiName, what: string, hint?: string): KfwdError {
  return new KfwdError("UNREACHABLE", `cannot reach ${nameOf(access)}: ${what}`, { hint });
}

/** The proxy wants a login, or another one. `wanted` are the ways it takes, where it says so. */
export function proxyLoginFailure(access: ApiName, proxy: ProxyServer, wanted: readonly string[]): KfwdError {
  const what = proxy.login ? "it refused this user and password" : "it wants a user and password";
  return new KfwdError("CREDENTIALS", `cannot reach ${nameOf(access)}: ${what}`, {
    hint: loginHint(proxy, wanted),
  });
}

/** The proxy does not speak as it should. */
export function proxyMalformed(access: ApiName, proxy: ProxyServer): KfwdError {
  const protocol = proxy.scheme === "socks5" ? "a SOCKS5" : "an HTTP";
  const message = `cannot reach ${nameOf(access)}: it does not answer like ${protocol} proxy`;
  return new KfwdError("PROTOCOL", message, { hint: `check scheme and port in ${placeOf(proxy)}` });
}

/** A status other than 200 to CONNECT. `statusLine` is the status with its words. */
export function connectFailure(
  access: ApiName,
  proxy: ProxyServer,
  { status, statusLine, wanted }: ConnectAnswer,
): KfwdError {
  if (status === 407) return proxyLoginFailure(access, proxy, wanted);
  const server = addressText(serverAddress(access.server));
  const what = `it answered "${statusLine.slice(0, STATUS_MAX)}" to CONNECT`;
  return tunnelFailure(access, what, status < 500 ? `does the proxy allow ${server}?` : undefined);
}

/** What an HTTP proxy said to CONNECT. */
export interface ConnectAnswer {
  readonly status: number;
  readonly statusLine: string;
  /** The schemes of `Proxy-Authenticate`. */
  readonly wanted: readonly string[];
}

const STATUS_MAX = 80;

function loginHint(proxy: ProxyServer, wanted: readonly string[]): string {
  if (wanted.length > 0 && !wanted.some((scheme) => scheme.toLowerCase() === "basic")) {
    return `the proxy takes ${wanted.join(" or ")} alone, and kfwd can do Basic: use one that adds the login itself`;
  }
  return proxy.login
    ? `check user and password in ${placeOf(proxy)}`
    : `put USER:PASSWORD@ in front of the host in ${placeOf(proxy)}`;
}

function placeOf({ source }: ProxyServer): string {
  return source === "proxy-url" ? "`proxy-url` of this cluster in the kubeconfig" : source;
}
