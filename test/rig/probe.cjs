// Loaded into a supervisor before its own code: tells its parent, whenever that asks, what the process holds.
"use strict";

const timers = new Set();
const { setTimeout: set, clearTimeout: clear } = globalThis;

globalThis.setTimeout = (fire, ms, ...args) => {
  const timer = set(
    (...given) => {
      timers.delete(timer);
      fire(...given);
    },
    ms,
    ...args,
  );
  timers.add(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => {
  timers.delete(timer);
  clear(timer);
};

process.on("message", () => {
  for (let round = 0; round < 3; round++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  process.send({
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    timers: timers.size,
    resources,
  });
});
process.channel.unref(); // nobody is kept from ending by being looked at
