import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { forwardsJsonSchema } from "./jsonschema.ts";
import { parseForwards } from "./parse.ts";

const FILE = { name: "forwards.yaml", folder: "/repo", home: "/home/ann" };
const SCHEMA = forwardsJsonSchema();

type Schema = ReturnType<typeof forwardsJsonSchema>;

/** An independent validator; it refuses keywords and forms that draft-07 does not have. */
const validate = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(SCHEMA);

function fits(value: unknown): boolean {
  return validate(value);
}

test("the file in the repository is current: run `npx tsx scripts/schema.ts`", () => {
  const file = readFileSync(new URL("../../schema/forwards.v1.json", import.meta.url), "utf8");
  expect(file).toBe(`${JSON.stringify(SCHEMA, null, 2)}\n`);
});

test("every field has a description and says what it takes", () => {
  const forwards = SCHEMA.properties?.["forwards"] as Schema;
  const entry = (forwards.additionalProperties as Schema).anyOf?.[1] as Schema;
  for (const one of [SCHEMA, SCHEMA.properties?.["defaults"] as Schema, entry]) {
    for (const [field, form] of Object.entries(one.properties ?? {})) {
      expect(form, field).toMatchObject({ description: expect.stringMatching(/.{10,}\.$/) as unknown });
      expect(Object.keys(form as object).length, field).toBeGreaterThan(1);
    }
  }
});

describe("examples", () => {
  test.each([
    ["web-and-db", ["api", "db"]],
    ["two-namespaces", ["api", "grafana", "admin", "payments"]],
  ])("%s is right, without warnings, and fits the schema", (name, forwards) => {
    const text = readFileSync(new URL(`../../examples/${name}/forwards.yaml`, import.meta.url), "utf8");
    const result = parseForwards(text, FILE);
    expect(result).toMatchObject({ kind: "valid", warnings: [] });
    expect(result.kind === "valid" && result.project.forwards.map((each) => each.name)).toEqual(forwards);
    expect(fits(parse(text))).toBe(true);
  });
});

/** What parser and schema must agree on: one entry of `forwards`. */
const ENTRIES = {
  right: [
    '"8080:svc/api:http"',
    "8080:api-x/svc/api:80/udp",
    '"[::1]:8080:svc/api:http"',
    '"auto:sts/db-0:5432/tcp"',
    '"localhost:auto:Deployment/api:80"',
    '"127.0.0.1:8080:deployment.apps/api:80"',
    '"8080:svc/api"',
    "{ target: api, port: 8080 }",
    "{ target: ns/svc/api, targetPort: '8080', local: '80', x-note: [1] }",
    "{ target: { kind: statefulsets, name: db }, port: http, local: auto, bind: [::1, 127.0.0.1] }",
    "{ target: { selector: app=web }, port: 8080, protocol: udp, required: false, description: '' }",
    "{ target: { kind: pod, selector: { app: web } }, port: 8080, bind: null, context: null, namespace: null }",
    "{ target: api, port: 8080, kubeconfig: ../k, protocol: null, required: null }",
    "{ target: host/db.example.com, port: 5432, via: relay }",
    "{ target: { kind: host, name: 10.0.0.7 }, port: 5432 }",
    "{ target: api, ports: [9092, '8081:registry', 'auto:web/tcp'] }",
    "{ target: api, port: 8080, probe: tcp, retry: { max: 1m30s }, hold: 5s, whenUnavailable: refuse }",
    "{ target: api, port: 8080, probe: { type: http, path: /health, status: 200, interval: 1s, failures: 1 } }",
    "{ target: api, port: 8080, pick: newest, followContext: true, enabled: false, profiles: [debug] }",
    "{ target: api, port: 8080, url: 'http://{host}:{port}', env: { API_URL: '{url}' }, hosts: [api.localhost] }",
    "{ target: api, port: 8080, labels: { team: a }, bind: docker, relay: { namespace: shop } }",
    "{ target: api, port: 8080, bind: all, profiles: debug, hosts: api.localhost }",
  ],
  wrong: [
    "8080",
    '"8080:api"',
    '"8080:svc/api:"',
    '"8080:svc/api:80/sctp"',
    '"a:svc/api:80"',
    '":svc/api:80"',
    "[]",
    "{ target: svc/Api, port: 8080 }",
    "{ target: a/b/c/d, port: 8080 }",
    "{ target: {}, port: 8080 }",
    "{ target: { kind: foo, name: x }, port: 8080 }",
    "{ target: { kind: svc }, port: 8080 }",
    "{ target: { selector: a, nam: b }, port: 8080 }",
    "{ target: api, port: 0 }",
    "{ target: api, port: 65536 }",
    "{ target: api, port: Web, local: auto }",
    "{ target: api, port: 8080, local: any }",
    "{ target: api, port: 8080, bind: [] }",
    "{ target: api, port: 8080, protocol: sctp }",
    "{ target: api, port: 8080, required: yes }",
    "{ target: api, port: 8080, namespace: Shop }",
    "{ target: api, port: 8080, context: '' }",
    "{ target: api, port: 8080, prot: udp }",
    "{ target: api, ports: [] }",
    "{ target: api, ports: [a:b:c] }",
    "{ target: api, port: 8080, hold: 10 }",
    "{ target: api, port: 8080, hold: soon }",
    "{ target: api, port: 8080, probe: ping }",
    "{ target: api, port: 8080, probe: { type: tcp, intervall: 1s } }",
    "{ target: api, port: 8080, retry: { initial: 1 } }",
    "{ target: api, port: 8080, pick: first }",
    "{ target: api, port: 8080, via: pod }",
    "{ target: api, port: 8080, whenUnavailable: wait }",
    "{ target: api, port: 8080, env: { lower: x } }",
    "{ target: api, port: 8080, relay: { imag: x } }",
    "{ target: api, port: 8080, range: A }",
  ],
};

describe("the parser and the schema agree", () => {
  test.each(ENTRIES.right)("that %s is right", (entry) => {
    const text = `forwards:\n  a: ${entry}\n`;
    expect(parseForwards(text, FILE).kind).toBe("valid");
    expect(fits(parse(text))).toBe(true);
  });

  test.each(ENTRIES.wrong)("that %s is wrong", (entry) => {
    const text = `forwards:\n  a: ${entry}\n`;
    expect(parseForwards(text, FILE).kind).toBe("invalid");
    expect(fits(parse(text))).toBe(false);
  });

  test.each([
    ["version: 1", true],
    ["version: 2", false],
    ["name: shop", true],
    ["name: Shop", false],
    ["x-any: [1]", true],
    ["any: 1", false],
    ["defaults: { bind: 127.0.0.1, required: true }", true],
    ["defaults: { local: 1 }", false],
    ["context: ''", false],
    ["ranges: { apis: 8080-8089, dbs: { ports: 5432, level: warn, match: 'db*' } }", true],
    ["ranges: { apis: many }", false],
    ["ranges: { apis: { level: warn } }", false],
    ["environments: { dev: { context: a, portOffset: 100, forwards: { a: { local: 1 } } }, stg: }", true],
    ["environments: { dev: { contxt: a } }", false],
    ["environments: { Dev: {} }", false],
    ["protect: ['*prod*']", true],
    ["lint: { privileged: off, bad-port: error }", true],
    ["lint: { privileged: loud }", false],
    ["lint: { privilegd: off }", false],
    ["relay: { image: a@sha256:b, namespace: shop }", true],
    ["relay: { imag: a }", false],
    ["include: []", true],
    ["include: [{ prefix: a }]", false],
    ["requires: '>=0.1'", true],
    ["requires: 1", false],
  ])("on %s at the top", (line, isRight) => {
    const text = `${line}\nforwards: { a: "8080:svc/api:http" }\n`;
    expect(parseForwards(text, FILE).kind).toBe(isRight ? "valid" : "invalid");
    expect(fits(parse(text))).toBe(isRight);
  });

  test.each([["forwards: { Api: null }"]])("that %s is wrong", (text) => {
    expect(parseForwards(text, FILE).kind).toBe("invalid");
    expect(fits(parse(text))).toBe(false);
  });
});
