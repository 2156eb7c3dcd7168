declare const KFWD_RELAY: string | undefined; // put in by the build

/** What `node -e` runs in a relay pod; empty where kfwd runs from its sources. */
export const RELAY_PROGRAM = typeof KFWD_RELAY === "undefined" ? "" : KFWD_RELAY;
