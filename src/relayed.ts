/** Which forwards take the relay. */

/** UDP and what is outside the cluster cannot be reached without; the rest says so. */
export function isRelayed(forward: {
  readonly protocol: "tcp" | "udp";
  readonly target: { readonly kind: string };
  readonly via?: "relay";
}): boolean {
  return forward.protocol === "udp" || forward.target.kind === "host" || forward.via === "relay";
}
