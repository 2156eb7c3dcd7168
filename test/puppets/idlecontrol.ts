/** A supervisor that has nothing to do, for puppets that only need one to answer. */
import type { Log, ServedControl } from "../../src/runtime/deps.ts";

export const idleControl: ServedControl = {
  status: () => Promise.reject(new Error("not asked here")),
  apply: () => Promise.reject(new Error("not asked here")),
  plan: () => Promise.reject(new Error("not asked here")),
  release: () => Promise.resolve({ stopped: [] }),
  stop: () => Promise.resolve({ stopped: [] }),
  halt: () => Promise.reject(new Error("not asked here")),
  start: () => Promise.reject(new Error("not asked here")),
  restart: () => Promise.reject(new Error("not asked here")),
  follow: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
  drainLeftMs: undefined,
};

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
