/** A log for what nobody could read one of: commands that ask clusters without a supervisor. */
import type { Log } from "./deps.ts";

/** Drops every line; what goes wrong is in the answers. */
export const SILENT_LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
