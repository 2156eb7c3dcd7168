/**
 * Notices that the machine slept, or that its network is another one. Where the monotonic clock stands still in a sleep
 * (Linux), the wall clock tells; where it runs on (macOS, Windows), the look itself comes late.
 */
import { isIPv6 } from "node:net";
import type { networkInterfaces } from "node:os";
import type { Clock } from "./deps.ts";

/** Often, since forwards shall be back two seconds after the machine. */
export const LOOK_MS = 1_000;

/** A smaller delay is the wall clock being set, or a busy machine. */
const GAP_MS = 5_000;

/** Between two looks at the interfaces, each of which is a handful of system calls. */
export const NETWORK_LOOK_MS = 5_000;

/** An address is there before routes and names are. */
export const SETTLE_MS = 1_000;

/** A network that comes and goes is not followed more often than this. */
const FLAP_MS = 15_000;

/** What has happened; of several things at once the sleep is told. */
export type Upheaval =
  | { readonly kind: "slept"; readonly sleptMs: number }
  | { readonly kind: "network"; readonly networks: string };

/** What Node says of the interfaces. */
export type Interfaces = ReturnType<typeof networkInterfaces>;

/** Calls `tell` a second after each sleep or change of the network, until disposed. */
export function watchForWake(
  clock: Clock,
  lookAtNetworks: () => Interfaces,
  tell: (what: Upheaval) => void,
): Disposable {
  let lastMs = clock.now();
  let lastWallMs = clock.wall();
  let networks = networksOf(lookAtNetworks());
  let networksAtMs = lastMs;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let settling: { readonly what: Upheaval; readonly timer: Disposable } | undefined;
  let timer = clock.timer(LOOK_MS, look);
  return {
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]();
      settling?.timer[Symbol.dispose]();
    },
  };

  function look(): void {
    const sleptMs = Math.max(clock.wall() - lastWallMs, clock.now() - lastMs) - LOOK_MS;
    lastMs = clock.now();
    lastWallMs = clock.wall();
    timer = clock.timer(LOOK_MS, look);
    if (sleptMs > GAP_MS) settle({ kind: "slept", sleptMs });
    if (lastMs - networksAtMs >= NETWORK_LOOK_MS || sleptMs > GAP_MS) lookAround();
  }

  function lookAround(): void {
    networksAtMs = lastMs;
    const now = networksOf(lookAtNetworks());
    if (now === networks || lastMs - toldAtMs < FLAP_MS) return;
    networks = now;
    settle({ kind: "network", networks });
  }

  function settle(what: Upheaval): void {
    const first = settling?.what;
    settling?.timer[Symbol.dispose]();
    const told = first?.kind === "slept" ? first : what;
    const done = (): void => {
      settling = undefined;
      toldAtMs = clock.now();
      tell(told);
    };
    settling = { what: told, timer: clock.timer(SETTLE_MS, done) };
  }
}

/**
 * The networks that this machine is in, as text to compare. Of IPv6 the first half counts: a machine changes its second
 * half by itself, day by day. Loopback and link-local addresses lead nowhere.
 */
export function networksOf(interfaces: Interfaces): string {
  const networks = Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ internal, address }) => !internal && !/^(?:fe[89ab]|169\.254\.)/i.test(address))
      .map(({ address }) => `${name} ${isIPv6(address) ? prefixOf(address) : address}`),
  );
  return [...new Set(networks)].sort().join(", ");
}

/** The first four groups of an IPv6 address. */
function prefixOf(address: string): string {
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const left = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const zeros = Array.from({ length: left }, () => "0");
  return `${[...first, ...zeros, ...last].slice(0, 4).join(":")}::/64`;
}
