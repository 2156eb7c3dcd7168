/** Addresses for the pods of all sandboxes of this process, out of 127.64.0.0 to 127.191.255.255. */

/** Of the process alone, as long as it lives: other sandboxes of the machine have their own. */
const NETWORK = process.pid & 0x7fff;

const HOSTS_MAX = 254;

const taken = new Set<number>();
let last = 0;

/** An address that no other pod has until it is disposed of. */
export interface PodAddress extends Disposable {
  readonly text: string;
}

/** Undefined when all are taken, and where not all of 127.0.0.0/8 is this machine's as on Linux. */
export function takeAddress(): PodAddress | undefined {
  if (process.platform !== "linux" || taken.size === HOSTS_MAX) return undefined;
  do last = (last % HOSTS_MAX) + 1;
  while (taken.has(last));
  const host = last;
  taken.add(host);
  const text = `127.${64 + (NETWORK >> 8)}.${NETWORK & 0xff}.${host}`;
  return { text, [Symbol.dispose]: () => void taken.delete(host) };
}
