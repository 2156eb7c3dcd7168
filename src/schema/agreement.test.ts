/** That the JSON Schema says what the parser says, held against each other by files made of right and wrong parts. */
import { Ajv } from "ajv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { forwardsJsonSchema } from "./jsonschema.ts";
import { parseForwards } from "./parse.ts";

const FILE = { name: "forwards.yaml", folder: "/repo", home: "/home/ann" };
const validate = new Ajv({ strict: false }).compile(forwardsJsonSchema());

/** Values that are right by themselves, and not beside the forward's protocol. */
const CONTRADICTION = /UDP is only reached through the relay$|is for TCP, and its protocol is UDP$/;

/** What only the parser can know, since it takes several values, or what a value means. */
const BEYOND_THE_SHAPE: ReadonlySet<string> = new Set([
  "TwoPorts",
  "NoPort",
  "NoLocal",
  "BadPort",
  "GivenTwice",
  "DuplicateLocal",
  "BadTarget",
  "UnknownRange",
  "OutOfRange",
  "BadRange",
  "UnknownEnvironment",
  "BadAddress",
  "BadSelector",
  "BadTemplate",
  "UnknownProfile",
  "EnvNameClash",
  "NeedsRelay",
  "NotForUdp",
  "UnknownKind", // a pattern with every spelling of every kind would be no message for people
  "NoForwards", // a file with includes may leave them out
]);

/** Values of each field: what people write, what they write by mistake, and what belongs elsewhere. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  target: [
    "api",
    "svc/api",
    "ns/sts/db",
    "host/db.example.com",
    "foo/bar",
    "svc/Api",
    7,
    { kind: "deploy", name: "x" },
    { selector: "app=web" },
    { selector: { app: "web" } },
    { selector: "app=web", container: "app" },
    { selector: "app=web", container: 5 },
    { kind: "svc" },
    {},
    [],
  ],
  port: [80, "http", "8080", 0, 65_536, 1.5, "Web!", true, []],
  targetPort: [80, "http", 0, {}],
  ports: [["9092:kafka", "auto:web"], [8080], ["a:b:c"], [], "80", ["80/sctp"], [0]],
  local: [8080, "auto", "8081", 0, 70_000, "any", true],
  bind: ["localhost", "127.0.0.1", "::1", ["127.0.0.1", "::1"], [], 5, [5]],
  protocol: ["tcp", "udp", "sctp", 6],
  via: ["relay", "direct", "pod"],
  required: [true, false, "yes", 1],
  description: ["", "text", 5, []],
  context: ["kind", "", 5],
  namespace: ["shop", "Shop", "", 5],
  profiles: [["debug"], "debug", ["De bug"], [5], []],
  range: ["apis", "none", 5],
  enabled: [true, false, "no"],
  pick: ["newest", "oldest"],
  hold: ["10s", "1m30s", 5, "x", "10"],
  ttl: ["30m", "1h30m", 5, "soon"],
  whenUnavailable: ["hold", "refuse", "wait"],
  probe: [
    "tcp",
    "none",
    "ping",
    { type: "http", path: "/x", interval: "5s" },
    { type: "http", path: "x" },
    { typ: "http" },
    5,
  ],
  retry: [{ initial: "1s" }, { max: 5 }, { x: 1 }, "1s"],
  url: ["http://{host}:{port}", 5, ""],
  env: [{ A_B: "{port}" }, { a: "x" }, { A: 5 }, "A=1", {}],
  hosts: [["a.localhost"], "a.localhost", ["A B"], [5]],
  labels: [{ a: "b" }, { a: 5 }, "a=b"],
  kubeconfig: ["./k", "", 5],
  followContext: [true, "x"],
  relay: [
    { namespace: "x" },
    { image: "a/b@sha256:0" },
    { imge: "x" },
    "x",
    { ttl: "8h", idle: "60s", share: "entry", create: "auto" },
    { ttl: 8 },
    { idle: "soon" },
    { share: "all" },
    { create: "never" },
    { patch: { spec: { priorityClassName: "low" } } },
    { patch: [] },
  ],
  prot: ["tcp"],
  "x-note": [1, { any: "thing" }],
};

const TOP: Readonly<Record<string, readonly unknown[]>> = {
  version: [1, 2, "1"],
  name: ["shop", "Shop", 5],
  protect: [["*prod*"], "x", [5]],
  ranges: [
    { apis: "8000-9000" },
    { apis: { ports: "1-2", level: "warn" } },
    { apis: 5 },
    { apis: { port: "1-2" } },
    [],
  ],
  lint: [{ privileged: "off" }, { privileged: "no" }, { nothing: "off" }],
  relay: [{ namespace: "x" }, { name: "x" }],
  defaults: [{ bind: "127.0.0.1" }, { local: 5 }, []],
  environments: [{ dev: { context: "x", portOffset: 5 } }, { dev: { contxt: "x" } }],
  requires: [">=0.1", 5],
  "x-any": [[1]],
  other: [1],
  forwards: [{ "Bad Name": null }, { a: "8080:api" }, { a: 5 }, {}, [], null],
};

type Field = readonly [field: string, value: unknown];

const fieldsOf = (values: Readonly<Record<string, readonly unknown[]>>): readonly Field[] =>
  Object.entries(values).flatMap(([field, list]) => list.map((value) => [field, value] as const));

const ENTRY_FIELDS = fieldsOf(VALUES);

/** What both say of a file; `beyond`: the parser refuses it for what no schema could know. */
function verdicts(content: object): {
  readonly parser: "right" | "wrong" | "beyond";
  readonly schema: "right" | "wrong";
} {
  const result = parseForwards(stringify(content), FILE);
  const schema = validate(content) ? "right" : "wrong";
  if (result.kind === "valid") return { parser: "right", schema };
  const isBeyond = result.diagnostics.every(
    ({ code, message }) => BEYOND_THE_SHAPE.has(code) || CONTRADICTION.test(message),
  );
  return { parser: isBeyond ? "beyond" : "wrong", schema };
}

/** The schema is never stricter than the parser, and as strict wherever the shape alone decides. */
function expectAgreement(content: object): void {
  const { parser, schema } = verdicts(content);
  if (parser === "beyond") return;
  expect({ [stringify(content)]: schema }).toEqual({ [stringify(content)]: parser });
}

const fileWith = (fields: readonly Field[]): object => ({
  forwards: { a: { target: "svc/api", port: 80, ...Object.fromEntries(fields) } },
});

test.each(ENTRY_FIELDS)("on a forward with %s: %j", (field, value) => {
  expectAgreement(fileWith([[field, value]]));
});

test.each(fieldsOf(TOP))("on a file with %s: %j", (field, value) => {
  expectAgreement({ forwards: { a: "8080:svc/api:http" }, [field]: value });
});

test.each([{ via: "direct" }, { probe: { type: "http", path: "/x" } }])(
  "on a forward with UDP and %j",
  (fields) => {
    expectAgreement(fileWith([["protocol", "udp"], ...Object.entries(fields)]));
  },
);

test("on forwards with any three fields", () => {
  const some = fc.subarray([...ENTRY_FIELDS], { minLength: 2, maxLength: 3 });
  fc.assert(
    fc.property(some, (fields) => expectAgreement(fileWith(fields))),
    { numRuns: 300 },
  );
});

test("most of what is tried is decided by the shape, and some of it is right", () => {
  const all = ENTRY_FIELDS.map((field) => verdicts(fileWith([field])).parser);
  expect(all.filter((verdict) => verdict === "right").length).toBeGreaterThan(30);
  expect(all.filter((verdict) => verdict === "wrong").length).toBeGreaterThan(30);
  expect(all.filter((verdict) => verdict === "beyond").length).toBeLessThan(30);
});
