import { describe, expect, test } from "vitest";
import { forwardsOf, parseFiles, shownAll } from "../../test/fakes/projectfiles.ts";
import type { RelaySpec } from "./spec.ts";

const relayOf = (relay: string, entry = ""): RelaySpec | undefined =>
  forwardsOf(
    parseFiles({
      "forwards.yaml": `relay: ${relay}\nforwards: { a: { target: a, port: 80, via: relay${entry} } }\n`,
    }),
  )["a"]?.relay;

const toldOf = (relay: string): string =>
  shownAll(parseFiles({ "forwards.yaml": `relay: ${relay}\nforwards: { a: "8080:svc/a:80" }\n` })).join("\n");

test("life, patience, sharing and a patch come to the spec", () => {
  expect(
    relayOf(
      "{ ttl: 8h, idle: 10m, share: entry, create: auto, patch: { spec: { priorityClassName: low } } }",
    ),
  ).toEqual({
    ttlMs: 8 * 3_600_000,
    idleMs: 600_000,
    share: "entry",
    patch: { spec: { priorityClassName: "low" } },
  });
  expect(relayOf("{ share: context }")).toBeUndefined();
});

test.each([
  ["{ ttl: 5s }", "ttl must be from 1m to 168h"],
  ["{ ttl: 8 }", "ttl must be a duration"],
  ["{ idle: 10s }", "idle must be from 30s to 24h"],
  ["{ share: all }", 'share must be "context" or "entry"'],
  ["{ create: never }", "a relay pod answers only the kfwd that made it"],
  ["{ create: no }", 'create must be "auto"'],
  ["{ selector: app=relay }", 'unknown key "selector" in relay'],
  ["{ patch: [] }", "patch must be a map"],
  ["{ patch: { spec: 5 } }", "spec of patch must be a map"],
  [
    "{ patch: { spec: { containers: { relay: 1 } } } }",
    "containers of patch must be a list of maps with a name each",
  ],
  [
    "{ patch: { spec: { containers: [{ image: x }] } } }",
    "containers of patch must be a list of maps with a name each",
  ],
  ["{ patch: { metadata: { namespace: x } } }", 'patch cannot change "metadata.namespace"'],
  ["{ patch: { spec: { restartPolicy: Always } } }", 'patch cannot change "spec.restartPolicy"'],
  ["{ patch: { kind: Deployment } }", 'patch cannot change "kind"'],
])("relay: %s is refused", (relay, words) => {
  expect(toldOf(relay)).toContain(words);
});

describe("a patch", () => {
  test("keeps its nulls, at any depth, and is one value when files are laid over each other", () => {
    const result = parseFiles({
      "forwards.yaml":
        "relay: { patch: { spec: { a: 1, b: { c: null } } } }\nforwards: { a: { target: a, port: 80, via: relay } }\n",
      "override.yaml": "relay: { ttl: 8h, patch: { spec: { securityContext: { runAsUser: null } } } }\n",
    });
    expect(forwardsOf(result)["a"]?.relay).toEqual({
      ttlMs: 8 * 3_600_000,
      patch: { spec: { securityContext: { runAsUser: null } } },
    });
  });

  test("of a forward takes the place of that of all", () => {
    expect(relayOf("{ patch: { spec: { a: 1 } } }", ", relay: { patch: { spec: { b: null } } }")).toEqual({
      patch: { spec: { b: null } },
    });
  });

  test("needs trust, where it makes a pod", () => {
    const demands = (forward: string): readonly string[] => {
      const result = parseFiles({
        "forwards.yaml": `relay: { patch: { spec: { hostNetwork: true } } }\nforwards: { a: ${forward} }\n`,
      });
      return result.kind === "valid"
        ? result.details.demands.map(({ kind, source }) => `${kind} ${source.line}`)
        : ["?"];
    };
    expect(demands("8080:svc/a:80/udp")).toEqual(["relay-patch 1"]);
    expect(demands("8080:svc/a:80")).toEqual([]);
  });
});

describe("target.container", () => {
  const told = (entry: string): string =>
    shownAll(parseFiles({ "forwards.yaml": `forwards: { a: { local: 8080, ${entry} } }\n` })).join("\n");

  test.each([
    "target: { kind: deploy, name: x, container: app }, port: http",
    "target: { selector: app=x, container: app }, port: http",
    "target: { kind: svc, name: x, container: app }, targetPort: http",
  ])("says whose port a name means: %s", (entry) => {
    expect(told(entry)).toBe("");
  });

  test("goes with ports of which one has a name", () => {
    const text =
      "forwards: { a: { target: { kind: sts, name: x, container: app }, ports: ['8081:http', '8082:80'] } }";
    expect(shownAll(parseFiles({ "forwards.yaml": text }))).toEqual([]);
    const numbers = text.replace("http", "81");
    expect(shownAll(parseFiles({ "forwards.yaml": numbers })).join()).toContain(
      "target.container has no meaning here",
    );
  });

  test.each([
    [
      "target: { kind: deploy, name: x, container: app }, port: 80",
      "a number is the same in all containers of a pod",
    ],
    [
      "target: { kind: svc, name: x, container: app }, port: http",
      "the Service says which port of the pod is meant",
    ],
    ["target: { kind: svc, name: x, container: app }", "the Service says which port of the pod is meant"],
    ["target: { kind: host, name: x, container: app }, port: 80", "a host has no containers"],
    ["target: { kind: deploy, name: x, container: A }, port: http", "the container of a target must be"],
  ])("is refused where it has no meaning: %s", (entry, words) => {
    expect(told(entry)).toContain(words);
  });
});
