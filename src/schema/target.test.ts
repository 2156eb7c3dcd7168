import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Problem } from "./problem.ts";
import { NAMED_TARGET_KINDS } from "./spec.ts";
import { KIND_ALIASES, type PlacedTarget, readTarget } from "./target.ts";

function read(value: unknown): { target: PlacedTarget | undefined; problems: Problem[] } {
  const problems: Problem[] = [];
  return { target: readTarget(value, (problem) => problems.push(problem)), problems };
}

describe("a target as text", () => {
  test.each([
    ["api", { target: { kind: "svc", name: "api" } }],
    ["svc/api", { target: { kind: "svc", name: "api" } }],
    ["sts/postgres-0.eu", { target: { kind: "sts", name: "postgres-0.eu" } }],
    ["kube-system/svc/kube-dns", { namespace: "kube-system", target: { kind: "svc", name: "kube-dns" } }],
    ["Deployment/api", { target: { kind: "deploy", name: "api" } }],
    ["statefulset.apps/db", { target: { kind: "sts", name: "db" } }],
    [`pod/${"a".repeat(253)}`, { target: { kind: "pod", name: "a".repeat(253) } }],
  ])("%s", (text, expected) => {
    expect(read(text)).toEqual({ target: expected, problems: [] });
  });

  test.each(NAMED_TARGET_KINDS.flatMap((kind) => [kind, ...KIND_ALIASES[kind]].map((word) => [word, kind])))(
    "kind %s is %s",
    (word, kind) => {
      expect(read(`${word}/x`)).toEqual({ target: { target: { kind, name: "x" } }, problems: [] });
    },
  );

  test.each([
    ["an unknown kind", "foo/api", "UnknownKind", 'unknown kind "foo" in target', 0, 3],
    ["a namespace without a kind", "shop/api", "UnknownKind", 'unknown kind "shop" in target', 0, 4],
    ["a host with a blank", "host/a b", "BadName", undefined, 5, 3],
    ["part of an address", "host/10.0.0", "BadName", undefined, 5, 6],
    ["no name", "svc/", "BadName", undefined, 4, 0],
    ["capitals", "svc/Api", "BadName", undefined, 4, 3],
    ["a path", "svc/..", "BadName", undefined, 4, 2],
    ["escapes", "svc/a%2fb", "BadName", undefined, 4, 5],
    ["a query", "svc/a?x=1", "BadName", undefined, 4, 5],
    ["a space", "svc/a b", "BadName", undefined, 4, 3],
    ["a name too long", `svc/${"a".repeat(254)}`, "BadName", undefined, 4, 254],
    ["a bad namespace", "Shop/svc/api", "BadName", undefined, 0, 4],
    ["a dotted namespace", "a.b/svc/api", "BadName", undefined, 0, 3],
    ["no namespace", "/svc/api", "BadName", undefined, 0, 0],
  ])("refuses %s", (_, text, code, message, index, length) => {
    const { target, problems } = read(text);
    expect(target).toBeUndefined();
    expect(problems.map((problem) => [problem.code, problem.part])).toEqual([[code, { index, length }]]);
    if (message !== undefined) expect(problems[0]?.message).toBe(message);
  });

  test("refuses more than three parts as a whole", () => {
    expect(read("a/b/c/d").problems).toEqual([
      {
        code: "BadTarget",
        message: 'target must be [ns/]kind/name, got "a/b/c/d"',
        hint: "target: svc/NAME",
      },
    ]);
  });

  test("tells every bad part at once", () => {
    expect(read("Shop/foo/Api").problems.map((problem) => problem.part?.index)).toEqual([5, 0, 9]);
  });

  test("says where a port belongs", () => {
    expect(read("svc/api:http").problems[0]?.hint).toBe('write the port as "port: http"');
  });

  test.each([["db.example.com"], ["10.0.0.7"], ["2001:db8::1"], ["DB.example.com."]])(
    "takes the host %s",
    (name) => {
      expect(read(`host/${name}`).target).toEqual({ target: { kind: "host", name } });
      expect(read(`ns/host/${name}`).target).toEqual({ namespace: "ns", target: { kind: "host", name } });
    },
  );

  test("suggests the kind that was meant", () => {
    expect(read("deploymnt/api").problems[0]?.hint).toBe('did you mean "deployment" or "deployments"?');
    expect(read("cronjob/api").problems[0]?.hint).toBe("kinds: svc, deploy, sts, ds, rs, job, pod, host");
  });

  test("lets nothing through that is more than a segment of a URL path", () => {
    const pieces = fc.constantFrom(
      "a",
      "9",
      "-",
      ".",
      "/",
      "..",
      "svc/",
      "%2f",
      "?",
      "#",
      "\\",
      "A",
      "é",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (words) => {
        const { target } = read(words.join(""));
        if (target === undefined || target.target.kind === "selector") return;
        const { name } = target.target;
        expect(encodeURIComponent(name)).toBe(name);
        expect(new URL(`http://host/pods/${name}/log`).pathname).toBe(`/pods/${name}/log`);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a target as a map", () => {
  test.each([
    ["a name", { kind: "deployment", name: "api" }, { kind: "deploy", name: "api" }],
    ["a selector", { selector: "app=web" }, { kind: "selector", selector: "app=web" }],
    [
      "a selector and its kind",
      { kind: "pods", selector: { app: "web" } },
      { kind: "selector", selector: "app=web" },
    ],
  ])("with %s", (_, value, target) => {
    expect(read(value)).toEqual({ target: { target }, problems: [] });
  });

  test.each([
    ["nothing", {}, [["BadTarget", "target has neither name nor selector", []]]],
    ["no kind", { name: "x" }, [["BadTarget", "target has a name but no kind", []]]],
    ["no name", { kind: "svc" }, [["BadTarget", "target has neither name nor selector", []]]],
    [
      "two ways",
      { name: "x", selector: "a=b" },
      [["BadTarget", "target has both name and selector", ["name"]]],
    ],
    [
      "a selector of Services",
      { kind: "svc", selector: "a=b" },
      [["BadTarget", 'a selector finds pods, so kind must be "pod", got "svc"', ["kind"]]],
    ],
    [
      "an unknown key",
      { kind: "svc", name: "x", nam: "y" },
      [["UnknownKey", 'unknown key "nam" in target', ["nam"]]],
    ],
    [
      "an unknown kind",
      { kind: "foo", name: "x" },
      [["UnknownKind", 'unknown kind "foo" in target', ["kind"]]],
    ],
    [
      "a kind that is no text",
      { kind: 1, name: "x" },
      [["UnknownKind", "unknown kind 1 in target", ["kind"]]],
    ],
    [
      "a bad label",
      { selector: { app: 1 } },
      [["BadSelector", 'label "app" must be text, got 1', ["selector", "app"]]],
    ],
    [
      "a bad name",
      { kind: "svc", name: 5 },
      [
        [
          "BadName",
          'the name of a target must be lowercase letters, digits, "-" and ".", at most 253, got 5',
          ["name"],
        ],
      ],
    ],
  ])("refuses %s", (_, value, expected) => {
    const { target, problems } = read(value);
    expect(target).toBeUndefined();
    expect(problems.map((problem) => [problem.code, problem.message, problem.path])).toEqual(expected);
  });
});

test.each([[1], [null], [["svc/api"]]])("a target is not %j", (value) => {
  expect(read(value).problems[0]?.message).toMatch(/^target must be text or a map, got /);
});

test.each([
  ["host/db.example.com:5432", 'write the port as "port: 5432"'],
  ["host/10.0.0.1:53", 'write the port as "port: 53"'],
  ["svc/api:http", 'write the port as "port: http"'],
  ["host/db_1", "target: host/db.example.com"],
])("the port in %s is told where to stand", (text, hint) => {
  expect(read(text).problems.map((problem) => problem.hint)).toEqual([hint]);
});
