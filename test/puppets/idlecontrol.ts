/** A supervisor that has nothing to do, for puppets that only need one to answer. */
import type { Log, SupervisorControl } from "../../src/runtime/deps.ts";

export const idleControl: SupervisorControl = {
  status: () => Promise.reject(new Error("not asked here")),
  apply: () => Promise.reject(new Error("not asked here")),
  stop: () => Promise.resolve({ stopped: [] }),
  follow: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
};

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
