import { describe, expect, test } from "vitest";
import { parseProject, type ParseResult } from "../../schema/parse.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import { configFields, configYaml } from "./configtext.ts";

type Valid = Extract<ParseResult, { kind: "valid" }>;

function read(text: string, environment?: string): Valid {
  const variables = new Map([["PASSWORD", 'p$w"\\']]);
  const file = {
    name: "forwards.yaml",
    folder: "/repo",
    home: "/home/ann",
    path: null,
    text,
    variables: {
      get: (name: string) => {
        const value = variables.get(name);
        return value === undefined ? undefined : { value, from: "process" as const };
      },
    },
  };
  const files = { files: [{ role: "base" as const, file }], include: () => ({ kind: "missing" as const }) };
  const result = parseProject(files, { ...(environment && { environment }) });
  if (result.kind === "invalid") throw new Error(JSON.stringify(result.diagnostics));
  return result;
}

function printed({ project, details }: Valid, withOrigins = false): string {
  const { name = "none", environment, protect } = project;
  return configYaml(configFields({ name, environment, protect }, details), withOrigins ? details : undefined);
}

/** What a forward means, wherever it was written. */
function meanings({ project }: Valid): readonly Omit<ForwardSpec, "source">[] {
  return project.forwards.map(({ source: _, ...meaning }) => meaning);
}

const RICH = `name: shop
protect: ["*prod*"]
lint: { privileged: "off" }
defaults: { namespace: shop, hold: 2500ms, labels: { team: payments } }
ranges:
  apis: 8080-8089
  databases: { ports: 5432-5439, level: warn, match: "db*" }
forwards:
  api: "8080:svc/api:http"
  dns: "5353:kube-system/svc/kube-dns:53/udp"
  db:
    description: 'Orders: "the" database'
    target: sts/postgres
    port: 5432
    url: "postgres://app:\${PASSWORD}@{host}:{port}/orders"
    env: { DATABASE_URL: "{url}", PGPORT: "{port}" }
    probe: { type: http, path: /healthz, status: 200-204, interval: 1m30s, timeout: 1500ms }
    retry: { initial: 250ms, max: 30s }
    hosts: [db.localhost]
  admin: { target: { selector: "app=admin,tier in (a,b)" }, port: web, local: auto, range: apis, required: false, pick: newest }
  raw: { target: svc/api, targetPort: 9229, local: 9229, bind: [127.0.0.1, "::1"], via: relay, whenUnavailable: refuse }
  rds: { target: host/orders.example.com, port: 5432, local: 5433, relay: { namespace: tools, nodeSelector: { disk: ssd } } }
  kafka: { target: svc/redpanda, ports: ["9092:kafka", "auto:registry", "5300:dns/udp"], context: other }
  follows: { target: job/seed, port: 1234, followContext: true }
  debug: { target: svc/debug, port: 4000, profiles: [debug] }
environments:
  staging: { context: gke, portOffset: 10000, forwards: { dns: null } }
`;

describe.each([[undefined], ["staging"]])("of environment %s", (environment) => {
  test("what is printed means the same when it is read again", () => {
    const first = read(RICH, environment);
    const again = read(printed(first));
    expect(meanings(again)).toEqual(meanings(first));
    expect(again.details.ranges.map(({ source: _, ...range }) => range)).toEqual(
      first.details.ranges.map(({ source: _, ...range }) => range),
    );
    expect(printed(again)).toBe(printed(first));
  });
});

test("forwards that are off are left out", () => {
  expect(printed(read(RICH))).not.toContain("debug:");
});

test("each value comes with the place where it was said", () => {
  const lines = printed(read(RICH), true).split("\n");
  const line = (start: string): string => lines.find((one) => one.startsWith(`    ${start}`)) ?? "";
  expect(line("description:")).toMatch(/# forwards\.yaml:12:18$/);
  expect(line("namespace:")).toMatch(/# forwards\.yaml:4:24$/);
  expect(line("protocol:")).toMatch(/# default$/);
  expect(lines.find((one) => one.includes("DATABASE_URL"))).toMatch(/# forwards\.yaml:16:26$/);
  expect(lines.find((one) => one.includes("interval: 90s"))).toMatch(/# forwards\.yaml:17:\d+$/);
});

test("what a target, a list of ports and a part of a probe say has the right place", () => {
  const text = `defaults:
  namespace: shop
  probe: { interval: 5s }
forwards:
  dns: "5353:kube-system/svc/kube-dns:53"
  kafka: { target: svc/kafka, ports: ["9092:kafka"], probe: tcp }
`;
  const lines = printed(read(text), true).split("\n");
  const places = lines.filter((line) => /namespace|ports|type|interval|failures/.test(line));
  expect(places.map((line) => line.replace(/ +/g, " "))).toEqual([
    " namespace: kube-system # forwards.yaml:5:14",
    " type: tunnel # default",
    " interval: 5s # forwards.yaml:3:22",
    " failures: 3 # default",
    ' ports: ["9092:kafka/tcp"] # forwards.yaml:6:38',
    " namespace: shop # forwards.yaml:2:14",
    " type: tcp # forwards.yaml:6:61",
    " interval: 5s # forwards.yaml:3:22",
    " failures: 3 # default",
  ]);
});

test("nothing that turns the reading direction or shows nothing is printed as it is", () => {
  const text = 'forwards:\n  a: { target: a, port: 80, description: "\u202eevil\u200b" }\n';
  const first = read(text);
  expect(printed(first)).toContain(String.raw`description: "\u202eevil\u200b"`);
  expect(meanings(read(printed(first)))).toEqual(meanings(first));
});
