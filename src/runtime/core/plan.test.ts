import { expect, test } from "vitest";
import type { ForwardSpec } from "../../schema/spec.ts";
import { plan, type Running } from "./plan.ts";
import type { Stage } from "./status.ts";

function spec(name: string, change: Partial<ForwardSpec> = {}): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    remotePort: { via: "service", port: 80 },
    protocol: "tcp",
    local: 8080,
    bind: ["localhost"],
    required: true,
    source: { file: "forwards.yaml", line: 3, column: 3 },
    ...change,
  };
}

function running(...entries: readonly (readonly [ForwardSpec, Stage])[]): ReadonlyMap<string, Running> {
  return new Map(entries.map(([s, stage]) => [s.name, { spec: s, stage }]));
}

const actions = (changes: ReturnType<typeof plan>): string[] => changes.map((c) => `${c.action} ${c.name}`);

test("the first time everything starts, in the order of the file", () => {
  expect(actions(plan(running(), [spec("web"), spec("api")], null))).toEqual(["start web", "start api"]);
});

test("the second time nothing is touched", () => {
  expect(actions(plan(running([spec("web"), "ready"]), [spec("web")], null))).toEqual(["keep web"]);
});

test.each<[string, Partial<ForwardSpec>, string]>([
  ["another local port", { local: 8081 }, "replace web"],
  ["another target", { target: { kind: "svc", name: "web2" } }, "replace web"],
  ["another remote port", { remotePort: { via: "pod", port: 80 } }, "replace web"],
  ["another context", { context: "prod" }, "replace web"],
  ["another bind address", { bind: ["127.0.0.1"] }, "replace web"],
  ["another relay", { relay: { image: "node:24" } }, "keep web"],
  ["a description", { description: "the shop" }, "update web"],
  ["required: false", { required: false }, "update web"],
  ["another line of the file", { source: { file: "forwards.yaml", line: 9, column: 3 } }, "update web"],
])("%s", (_name, change, wanted) => {
  expect(actions(plan(running([spec("web"), "ready"]), [spec("web", change)], null))).toEqual([wanted]);
});

test.each<["changed" | "all" | "none", string[]]>([
  ["changed", ["keep same", "update word", "replace web", "start failed", "start new"]],
  ["all", ["replace same", "replace word", "replace web", "start failed", "start new"]],
  ["none", ["keep same", "update word", "keep web", "start failed", "start new"]],
])("recreate %s: %j", (recreate, wanted) => {
  const before = ["same", "word", "web", "failed"].map((name) => spec(name));
  const now = running(...before.map((s) => [s, s.name === "failed" ? "failed" : "ready"] as const));
  const file = [
    spec("same"),
    spec("word", { description: "says more" }),
    spec("web", { local: 8081 }),
    spec("failed"),
    spec("new"),
  ];
  expect(actions(plan(now, file, null, recreate))).toEqual(wanted);
});

test("another relay replaces what goes through it", () => {
  const before = spec("dns", { protocol: "udp" });
  const after = spec("dns", { protocol: "udp", relay: { image: "node:24" } });
  expect(actions(plan(running([before, "ready"]), [after], null))).toEqual(["replace dns"]);
});

test.each<[Stage, string]>([
  ["failed", "start web"],
  ["stopped", "start web"],
  ["stopping", "start web"],
  ["waiting", "keep web"],
  ["connecting", "keep web"],
])("an unchanged forward that is %s: %s", (stage, wanted) => {
  expect(actions(plan(running([spec("web"), stage]), [spec("web")], null))).toEqual([wanted]);
});

test("what left the file goes first, so that its port is free for a newcomer", () => {
  expect(actions(plan(running([spec("old"), "ready"]), [spec("new")], null))).toEqual([
    "remove old",
    "start new",
  ]);
});

test("of the names, what left the file is removed", () => {
  const now = running([spec("old"), "ready"], [spec("older"), "ready"], [spec("web"), "ready"]);
  expect(actions(plan(now, [spec("web")], ["web", "old", "never"]))).toEqual(["remove old", "keep web"]);
});

test("with names only these are touched, and nothing else is removed", () => {
  const now = running([spec("old"), "ready"], [spec("web"), "ready"]);
  const wanted = [spec("web", { local: 1 }), spec("api")];
  expect(actions(plan(now, wanted, ["api"]))).toEqual(["start api"]);
});
