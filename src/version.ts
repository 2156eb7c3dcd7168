declare const KFWD_VERSION: string | undefined; // put in by the build

/** This kfwd's version, as in package.json. */
export const VERSION = typeof KFWD_VERSION === "undefined" ? "0.0.0" : KFWD_VERSION;
