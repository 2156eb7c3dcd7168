import { expect, test } from "vitest";
import type { ForwardSpec } from "./spec.ts";
import { addressOf, allVariables, needUrl, urlOf, variablesOf } from "./exports.ts";

function located(name: string, port: number, more: Partial<ForwardSpec> = {}) {
  const spec: ForwardSpec = {
    name,
    target: { kind: "svc", name },
    protocol: "tcp",
    local: port,
    bind: ["localhost"],
    required: true,
    source: { file: "forwards.yaml", line: 3, column: 5 },
    ...more,
  };
  return { spec, port };
}

test.each([
  [["localhost"], "127.0.0.1:8080"],
  [["0.0.0.0"], "127.0.0.1:8080"],
  [["::"], "[::1]:8080"],
  [["::1"], "[::1]:8080"],
  [["127.0.0.2", "::1"], "127.0.0.2:8080"],
])("bound to %j it is at %s", (bind, address) => {
  expect(addressOf(located("api", 8080, { bind }))).toBe(address);
});

test.each([
  [{ url: "http://{host}:{port}/docs" }, "http://localhost:8080/docs"],
  [{ url: "postgres://app@{host}:{port}/{name}" }, "postgres://app@127.0.0.1:8080/api"],
  [{ url: "http://{host}:{port}", bind: ["::1"] }, "http://[::1]:8080"],
  [{ url: "x://{host}/{other}" }, "x://127.0.0.1/{other}"],
  [{ remotePort: { via: "service", port: "https" } }, "https://localhost:8080"],
  [{ remotePort: { via: "service", port: "postgres" } }, "postgres://127.0.0.1:8080"],
  [{ remotePort: { via: "service", port: 80 } }, undefined],
  [{}, undefined],
] as const satisfies readonly (readonly [Partial<ForwardSpec>, string | undefined])[])(
  "%j has the url %s",
  (more, url) => {
    expect(urlOf(located("api", 8080, more))).toBe(url);
  },
);

test("to ask for a url that there is not is an error with its place", () => {
  expect(() => needUrl(located("db", 5432))).toThrow(
    expect.objectContaining({
      message: 'forward "db" has no url',
      exit: 2,
      place: { file: "forwards.yaml", line: 3, column: 5 },
    }) as Error,
  );
});

test("variables are named after the forward", () => {
  expect([...variablesOf(located("my-api", 8080, { url: "http://{host}:{port}" }))]).toEqual([
    ["MY_API_HOST", "127.0.0.1"],
    ["MY_API_PORT", "8080"],
    ["MY_API_URL", "http://localhost:8080"],
  ]);
  expect([...variablesOf(located("kafka:registry", 8081)).keys()]).toEqual([
    "KAFKA_REGISTRY_HOST",
    "KAFKA_REGISTRY_PORT",
  ]);
});

test("or are those of its env", () => {
  const env = { DATABASE_URL: "{url}?a=1", PGHOST: "{host}", PGPORT: "{port}" };
  expect([...variablesOf(located("db", 5432, { url: "postgres://{host}:{port}/x", env }))]).toEqual([
    ["DATABASE_URL", "postgres://127.0.0.1:5432/x?a=1"],
    ["PGHOST", "127.0.0.1"],
    ["PGPORT", "5432"],
  ]);
});

test("two forwards cannot set one variable", () => {
  const twice = [located("a-b", 1), located("a:b", 2)];
  expect(() => allVariables(twice)).toThrow('forwards "a-b" and "a:b" both set the variable A_B_HOST');
});
