/** Hosts and ports as URLs and messages write them: an address of IPv6 stands in brackets. Pure. */

/** `127.0.0.1`, `[::1]`; what has its brackets keeps them. */
export function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** `::1` for `[::1]`, as the host of a URL is given to a socket. */
export function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

/** `127.0.0.1:5432`, `[::1]:5432`, `[::1]:53/udp`. */
export function hostPort(host: string, port: number | string): string {
  return `${bracketed(host)}:${port}`;
}
