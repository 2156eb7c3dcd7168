import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeLog } from "../../../test/fakes/world.ts";
import { portStore } from "./portstore.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kfwd-ports-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const PORTS = [
  ["a", 8080],
  ["kafka:registry", 8081],
] as const;

test("what is written is read again, and nothing else is left", () => {
  const store = portStore(join(root, "new/folder/kfwd.log"), new FakeLog());
  expect(store.read()).toEqual([]);
  store.write(PORTS);
  store.write(PORTS);
  expect(store.read()).toEqual(PORTS);
  expect(readdirSync(join(root, "new/folder"))).toEqual(["ports.json"]);
});

test.each([
  ["no JSON", "{"],
  ["another schema", '{"schema":"kfwd.ports/2","ports":{}}'],
  ["a port that is none", '{"schema":"kfwd.ports/1","ports":{"a":70000}}'],
  ["a list", '{"schema":"kfwd.ports/1","ports":[1]}'],
  ["too much", `{"schema":"kfwd.ports/1","ports":{"a":1}}${" ".repeat(100_000)}x`],
])("%s is as if there were nothing", (_, text) => {
  writeFileSync(join(root, "ports.json"), text);
  const store = portStore(join(root, "kfwd.log"), new FakeLog());
  if (text.length < 1000) expect(store.read()).toEqual([]);
  else expect(() => store.read()).not.toThrow();
});

test("a write that fails is logged", () => {
  const log = new FakeLog();
  chmodSync(root, 0o500);
  portStore(process.getuid?.() === 0 ? "/proc/no/kfwd.log" : join(root, "kfwd.log"), log).write(PORTS);
  expect(log.lines).toEqual([expect.stringContaining("ports.write") as string]);
  chmodSync(root, 0o700);
});
