/** In place of relays where there are none yet. */
import type { Relays } from "./deps.ts";

/** Tells each forward that asks that there is no relay, and keeps telling it. */
export function noRelays(): Relays {
  return {
    relay: (_place, _spec, events) => {
      const tell = (): void => queueMicrotask(() => events.onLost(NOT_YET));
      tell();
      return {
        retry: tell,
        flow: () => ({ send: () => false, [Symbol.dispose]: () => {} }),
        open: () => Promise.reject(new Error(NOT_YET.message)),
        [Symbol.asyncDispose]: async () => {},
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

const NOT_YET = {
  code: "RelayNotYet",
  kind: "unsupported",
  message: "UDP forwards, hosts and `via: relay` are not in this version yet",
  hint: "set `required: false` on it to let the others decide the exit status",
} as const;
