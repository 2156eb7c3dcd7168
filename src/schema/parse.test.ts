import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "./diagnostic.ts";
import { parseForwards, projectNameIn } from "./parse.ts";
import { findControl } from "../printable.ts";
import type { ForwardSpec, ProjectSpec } from "./spec.ts";

const FILE = { name: "forwards.yaml", folder: "/repo/shop", home: "/home/ann" };

function project(text: string): ProjectSpec {
  const result = parseForwards(text, FILE);
  if (result.kind === "invalid") throw new Error(result.diagnostics.map((one) => one.message).join("\n"));
  return result.project;
}

/** The only forward of the text, without where it stands. */
function forward(text: string): Omit<ForwardSpec, "source"> {
  const [spec, ...more] = project(text).forwards;
  if (spec === undefined || more.length > 0) throw new Error("not one forward");
  const { source, ...rest } = spec;
  expect(source.file).toBe(FILE.name);
  return rest;
}

/** Each error as `line:column-endColumn Code: message | hint`. */
function errors(text: string): readonly string[] {
  const result = parseForwards(text, FILE);
  return result.kind === "valid" ? [] : result.diagnostics.map(oneLine);
}

function warnings(text: string): readonly string[] {
  const result = parseForwards(text, FILE);
  if (result.kind === "invalid") throw new Error(result.diagnostics.map((one) => one.message).join("\n"));
  return result.warnings.map(oneLine);
}

function oneLine(each: {
  line: number;
  column: number;
  endColumn: number;
  code: string;
  message: string;
  hint?: string;
}) {
  const { line, column, endColumn, code, message, hint } = each;
  return `${line}:${column}-${endColumn} ${code}: ${message}${hint === undefined ? "" : ` | ${hint}`}`;
}

/** The first diagnostic as a user sees it. */
function shown(text: string): string {
  const result = parseForwards(text, FILE);
  const [first] = result.kind === "invalid" ? result.diagnostics : result.warnings;
  return first === undefined ? "" : formatDiagnostic(first, result.texts);
}

const API = {
  name: "api",
  target: { kind: "svc", name: "api" },
  protocol: "tcp",
  bind: ["localhost"],
  required: true,
};

describe("a file that is right", () => {
  test("gives specs with defaults filled in, in the order of the file", () => {
    const text = `version: 1
name: shop
context: kind-dev
kubeconfig: ~/.kube/dev
defaults: { namespace: shop, bind: 127.0.0.1, required: false }
forwards:
  zebra: "8080:svc/api:http"
  api:
    description: Orders
    target: kube-system/sts/db
    port: 5432
    bind: [127.0.0.1, "::1"]
    protocol: udp
    required: true
    kubeconfig: ../k.yaml
    x-owner: payments
x-team: { a: [1] }
`;
    expect(project(text)).toEqual({
      name: "shop",
      forwards: [
        {
          name: "zebra",
          target: { kind: "svc", name: "api" },
          remotePort: { via: "service", port: "http" },
          protocol: "tcp",
          local: 8080,
          bind: ["127.0.0.1"],
          context: "kind-dev",
          namespace: "shop",
          kubeconfig: "/home/ann/.kube/dev",
          required: false,
          source: { file: "forwards.yaml", line: 7, column: 3 },
        },
        {
          name: "api",
          description: "Orders",
          target: { kind: "sts", name: "db" },
          remotePort: { via: "pod", port: 5432 },
          protocol: "udp",
          local: 5432,
          bind: ["127.0.0.1", "::1"],
          context: "kind-dev",
          namespace: "kube-system",
          kubeconfig: "/repo/k.yaml",
          required: true,
          source: { file: "forwards.yaml", line: 8, column: 3 },
        },
      ],
    });
  });

  test.each([
    ["a Service port", "{ target: svc/api, port: 80, local: 1 }", { via: "service", port: 80 }, 1],
    [
      "a Service port by a long name",
      "{ target: api, port: a-name-of-a-service-port, local: 1 }",
      { via: "service", port: "a-name-of-a-service-port" },
      1,
    ],
    ["a pod port of a Service", "{ target: api, targetPort: 8080 }", { via: "pod", port: 8080 }, 8080],
    [
      "a named pod port",
      "{ target: api, targetPort: http, local: auto }",
      { via: "pod", port: "http" },
      "auto",
    ],
    [
      "numbers in quotes",
      '{ target: api, port: "8080", local: "9090" }',
      { via: "service", port: 8080 },
      9090,
    ],
    ["the only port of a Service", "{ target: api, local: auto }", undefined, "auto"],
    ["one line without a port", '"8080:svc/api"', undefined, 8080],
    ["one line for any free port", '"auto:svc/api:80"', { via: "service", port: 80 }, "auto"],
  ])("has %s", (_, entry, remotePort, local) => {
    expect(forward(`forwards: { api: ${entry} }`)).toEqual({
      ...API,
      ...(remotePort && { remotePort }),
      local,
    });
  });

  test("has the pod port of a target that is no Service", () => {
    const text = "forwards: { api: { target: { selector: { app: web } }, port: 8080 } }";
    expect(forward(text)).toMatchObject({
      target: { kind: "selector", selector: "app=web" },
      remotePort: { via: "pod", port: 8080 },
    });
  });

  test("takes a default back with null", () => {
    const text = `context: dev
namespace: shop
defaults: { bind: 127.0.0.2, protocol: udp, required: false }
forwards:
  api: { target: api, port: 8080, context: null, namespace: ~, bind: , protocol: null, required: null }
`;
    expect(forward(text)).toEqual({ ...API, remotePort: { via: "service", port: 8080 }, local: 8080 });
  });

  test("leaves out what is null and says so, and may have no defaults to speak of", () => {
    const text = 'defaults:\nforwards:\n  gone: null\n  empty:\n  api: "8080:svc/api:http"\n';
    expect(project(text).forwards.map(({ name }) => name)).toEqual(["api"]);
    expect(warnings(text)).toEqual([
      '3:3-7 Empty: forward "gone" is empty: it is left out | gone: "8080:svc/api:http"',
      '4:3-8 Empty: forward "empty" is empty: it is left out | empty: "8080:svc/api:http"',
    ]);
  });

  test("lets a namespace be named twice when it is the same", () => {
    expect(
      forward("forwards: { api: { target: shop/svc/api, namespace: shop, port: 8080 } }").namespace,
    ).toBe("shop");
  });

  test("lets TCP and UDP, other addresses and auto share a port", () => {
    const text = `forwards:
  tcp: 53:svc/dns:53/tcp
  udp: 53:svc/dns:53/udp
  two: 127.0.0.2:53:svc/dns:53
  six: "[fe80::1]:53:svc/dns:53"
  a: auto:svc/dns:53
  b: auto:svc/dns:53
`;
    expect(project(text).forwards).toHaveLength(6);
  });

  test("is plain data", () => {
    const { forwards } = project('name: shop\nforwards: { api: "127.0.0.1:8080:ns/svc/api:http" }');
    expect(JSON.parse(JSON.stringify(forwards))).toEqual(forwards);
  });
});

describe("frames", () => {
  test("an unknown key", () => {
    const text = "version: 1\nforwards:\n  db:\n    target: svc/postgres\n    local: 5432\n    prot: udp\n";
    expect(shown(text)).toBe(`error: unknown key "prot" in forward "db"
  forwards.yaml:6:5
   5 |     local: 5432
 > 6 |     prot: udp
     |     ^^^^
hint: did you mean "port" or "protocol"?`);
  });

  test("a word inside a one-line forward", () => {
    expect(shown('forwards:\n  api: "8080:svc/api:99999"\n'))
      .toBe(`error: forward "api": port must be 1-65535 or the name of a port, got "99999"
  forwards.yaml:2:22
   1 | forwards:
 > 2 |   api: "8080:svc/api:99999"
     |                      ^^^^^`);
  });

  test("a local port used twice", () => {
    const text = 'forwards:\n  api: "8080:svc/api:http"\n  web:\n    target: svc/web\n    port: 8080\n';
    expect(shown(text)).toBe(`error: "api" and "web" both use localhost:8080/tcp
  forwards.yaml:5:11
   4 |     target: svc/web
 > 5 |     port: 8080
     |           ^^^^
  forwards.yaml:2:9: "api" is here
   1 | forwards:
 > 2 |   api: "8080:svc/api:http"
     |         ^^^^
hint: use another port, or "local: auto"`);
  });

  test("a key that stands twice", () => {
    expect(shown("forwards:\n  db: 1:svc/a:1\n\n  db: 2:svc/b:1\n"))
      .toBe(`error: key "db" stands twice in the same map
  forwards.yaml:4:3
 > 4 |   db: 2:svc/b:1
     |   ^^
  forwards.yaml:2:3: the first one is here
   1 | forwards:
 > 2 |   db: 1:svc/a:1
     |   ^^`);
  });

  test("a tab", () => {
    expect(shown("forwards:\n\tdb: 1:svc/a:1\n"))
      .toBe(`error: invalid YAML: tabs are not allowed as indentation
  forwards.yaml:2:1
   1 | forwards:
 > 2 | →db: 1:svc/a:1
     | ^
hint: indent with spaces`);
  });

  test("a warning", () => {
    expect(shown("forwards: { web: { target: web, port: 80 } }"))
      .toBe(`warning: forward "web" binds local port 80: ports below 1024 need root on most systems
  forwards.yaml:1:39
 > 1 | forwards: { web: { target: web, port: 80 } }
     |                                       ^^
hint: local: 8080`);
  });

  test("text that would turn the terminal around", () => {
    expect(shown('forwards: { "a\u202eb": 1:svc/a:1 }')).toContain(
      'error: "a\\u202eb" cannot be the name of a forward',
    );
  });
});

describe("the top of the file", () => {
  const API_LINE = 'forwards: { api: "8080:svc/api:http" }';
  const KNOWN =
    "known keys: version, name, include, context, namespace, kubeconfig, followContext, defaults, ranges, forwards, environments, defaultEnvironment, relay, protect, lint, requires";

  test.each([
    [
      "a later version",
      "version: 2\nfoo: 1\n",
      "1:10-11 NewerVersion: this file needs a newer kfwd: it has version 2, this kfwd reads version 1 | npm install kfwd@latest",
    ],
    ["version 0", `version: 0\n${API_LINE}`, "1:10-11 BadValue: version must be 1, got 0"],
    ["a version of compose", `version: "3.8"\n${API_LINE}`, '1:10-15 BadValue: version must be 1, got "3.8"'],
    [
      "a name with capitals",
      `name: Shop\n${API_LINE}`,
      '1:7-11 BadValue: name must be lowercase letters, digits, "-" and "_", starting with a letter or digit, at most 63, got "Shop"',
    ],
    [
      "a number for a name",
      `name: 2048\n${API_LINE}`,
      "1:7-11 WrongType: name must be text, got 2048 | put it in quotes",
    ],
    ["an empty context", `context:\n${API_LINE}`, "1:1-8 Empty: context is empty"],
    ["no text for a context", `context: ""\n${API_LINE}`, "1:10-12 Empty: context is empty"],
    [
      "a bad namespace",
      `namespace: a.b\n${API_LINE}`,
      '1:12-15 BadValue: namespace must be lowercase letters, digits and "-", at most 63, got "a.b"',
    ],
    [
      "a home that is not ours",
      `kubeconfig: ~bob/k\n${API_LINE}`,
      '1:13-19 BadPath: cannot tell which folder "~bob/k" is in | write an absolute path, or one that is relative to this file',
    ],
    [
      "a list of defaults",
      `defaults: []\n${API_LINE}`,
      "1:11-13 WrongType: defaults must be a map, got a list",
    ],
    [
      "a target in the defaults",
      `defaults: { target: api }\n${API_LINE}`,
      '1:13-19 UnknownKey: unknown key "target" in defaults | known keys: context, namespace, kubeconfig, bind, protocol, required, via, whenUnavailable, hold, ttl, retry, probe, pick, followContext, labels, range, profiles, enabled, relay',
    ],
    [
      "a field of forwards in the defaults",
      `defaults: { localPort: 1 }\n${API_LINE}`,
      '1:13-22 UnknownKey: unknown key "localPort" in defaults | known keys: context, namespace, kubeconfig, bind, protocol, required, via, whenUnavailable, hold, ttl, retry, probe, pick, followContext, labels, range, profiles, enabled, relay',
    ],
    [
      "a bad default",
      `defaults: { bind: [x] }\n${API_LINE}`,
      '1:20-21 BadAddress: defaults: bind must be "localhost", "all", "docker" or an IP address, got "x"',
    ],
    ["an unknown key", `image: 1\n${API_LINE}`, `1:1-6 UnknownKey: unknown key "image" | ${KNOWN}`],
    [
      "a key of forwards at the top",
      `pick: newest\n${API_LINE}`,
      '1:1-5 UnknownKey: unknown key "pick" | for all forwards: "defaults: { pick: … }"',
    ],
    [
      "a key of compose",
      "services:\n  a: 1\n",
      '1:1-9 UnknownKey: unknown key "services" | the key is "forwards"',
    ],
    [
      "a typing error",
      "forward:\n  a: 1\n",
      '1:1-8 UnknownKey: unknown key "forward" | did you mean "forwards"?',
    ],
    [
      "a merge key",
      `<<: {a: 1}\n${API_LINE}`,
      '1:1-3 MergeKey: merge keys (<<) are not allowed | write the keys out, or use "defaults"',
    ],
    [
      "a prototype",
      `__proto__: {a: 1}\n${API_LINE}`,
      `1:1-10 UnknownKey: unknown key "__proto__" | ${KNOWN}`,
    ],
    [
      "a constructor",
      `constructor: {a: 1}\n${API_LINE}`,
      `1:1-12 UnknownKey: unknown key "constructor" | ${KNOWN}`,
    ],
    ["no forwards", "version: 1\n", `1:1-2 NoForwards: the file has no key "forwards" | ${API_LINE}`],
    ["empty forwards", "version: 1\nforwards:\n", `2:1-9 NoForwards: forwards is empty | ${API_LINE}`],
    ["forwards without any", "forwards: {}\n", `1:1-9 NoForwards: forwards is empty | ${API_LINE}`],
    [
      "only empty forwards",
      "forwards: { a: null }\n",
      '1:13-14 Empty: forward "a" is empty | a: "8080:svc/api:http"',
    ],
    [
      "a list of forwards",
      "forwards:\n  - a: 1\n",
      `2:3-9 WrongType: forwards must be a map of names, got a list | ${API_LINE}`,
    ],
  ])("refuses %s", (_, text, expected) => {
    expect(errors(text)).toEqual([expected]);
  });

  test("refuses a shorthand beside its default, and names both places", () => {
    const text = `context: a\n${API_LINE}\ndefaults:\n  context: b\n`;
    const result = parseForwards(text, FILE);
    expect(result.kind === "invalid" && result.diagnostics).toMatchObject([
      {
        code: "GivenTwice",
        message: "context is given twice: at the top of the file and in defaults",
        line: 1,
        column: 10,
        related: { line: 4, column: 12 },
      },
    ]);
  });
});

describe("a forward", () => {
  const NAME_HINT = 'a name is lowercase letters, digits and "-", starting with a letter, at most 40';

  test.each(
    [
      ["9lives"],
      ["Api"],
      ["a_b"],
      ["a.b"],
      ["8080"],
      ["null"],
      ["a".repeat(41)],
      ["constructor!"],
      ["__proto__"],
    ].filter(([name]) => name !== "null"),
  )("cannot be called %s", (name) => {
    expect(errors(`forwards:\n  ${name}: 1:svc/a:1\n`)).toEqual([
      `2:3-${3 + name.length} BadName: "${name}" cannot be the name of a forward | ${NAME_HINT}`,
    ]);
  });

  test.each([
    [
      "image: 1",
      'unknown key "image"',
      "known keys: target, port, targetPort, ports, local, bind, protocol, required, description, url, env, range, profiles, enabled, probe, retry, hold, ttl, whenUnavailable, pick, via, hosts, labels, context, namespace, kubeconfig, followContext, relay",
    ],
    ["prot: 1", 'unknown key "prot"', 'did you mean "port" or "protocol"?'],
    ["localPort: 1", 'unknown key "localPort"', 'the key is "local"'],
    ["local_port: 1", 'unknown key "local_port"', 'the key is "local"'],
    ["remote_port: 1", 'unknown key "remote_port"', 'the key is "targetPort"'],
    ["remotePort: 1", 'unknown key "remotePort"', 'the key is "targetPort"'],
    ["service: 1", 'unknown key "service"', 'write "target: svc/NAME"'],
    ["ns: 1", 'unknown key "ns"', 'the key is "namespace"'],
    ["selector: 1", 'unknown key "selector"', 'write "target: { selector: app=NAME }"'],
    ["name: 1", 'unknown key "name"', "the name of a forward is its key in the map"],
    ["__proto__: 1", 'unknown key "__proto__"', 'did you mean "protocol"?'],
  ])("has no %s", (field, message, hint) => {
    const text = `forwards:\n  db:\n    target: svc/db\n    port: 5432\n    ${field}\n`;
    const end = 5 + field.indexOf(":");
    expect(errors(text)).toEqual([`5:5-${end} UnknownKey: ${message} in forward "db" | ${hint}`]);
  });

  test.each([
    [
      "target: svc/Api",
      'BadName: forward "db": the name of a target must be lowercase letters, digits, "-" and ".", at most 253, got "Api"',
      17,
      20,
    ],
    [
      "target: [svc/db]",
      'WrongType: forward "db": target must be text or a map, got a list | target: svc/NAME',
      13,
      21,
    ],
    ["target: 5", 'WrongType: forward "db": target must be text or a map, got 5 | target: svc/NAME', 13, 14],
    [
      "target:",
      'WrongType: forward "db": target must be text or a map, got nothing | target: svc/NAME',
      5,
      11,
    ],
    [
      "target: { kind: foo, name: x }",
      'UnknownKind: forward "db": unknown kind "foo" in target | kinds: svc, deploy, sts, ds, rs, job, pod, host',
      21,
      24,
    ],
    [
      "target: { kind: svc, nam: x }",
      'UnknownKey: forward "db": unknown key "nam" in target | did you mean "name"?',
      26,
      29,
    ],
    [
      'target: { selector: "a=b,c d" }',
      'BadSelector: forward "db": selector cannot have "c d": it must be KEY, !KEY, KEY=VALUE, KEY!=VALUE or KEY in (A,B)',
      30,
      33,
    ],
    [
      "target: { selector: { app: 1 } }",
      'BadSelector: forward "db": label "app" must be text, got 1 | quote the value',
      32,
      33,
    ],
    [
      "target: host/10.0.0",
      'BadName: forward "db": the host of a target must be a name or an IP address, got "10.0.0" | target: host/db.example.com',
      18,
      24,
    ],
    ["port: 99999", 'BadPort: forward "db": port must be 1-65535 or the name of a port, got 99999', 11, 16],
    ["port: 8080.5", 'BadPort: forward "db": port must be 1-65535 or the name of a port, got 8080.5', 11, 17],
    [
      "targetPort: -1",
      'BadPort: forward "db": targetPort must be 1-65535 or the name of a port, got -1',
      17,
      19,
    ],
    ["local: 99999", 'BadPort: forward "db": local must be 1-65535 or "auto", got 99999', 12, 17],
    ["local: 0", 'BadPort: forward "db": local must be 1-65535 or "auto", got 0 | local: auto', 12, 13],
    ["local: any", 'BadPort: forward "db": local must be 1-65535 or "auto", got "any"', 12, 15],
    [
      "bind: any",
      'BadAddress: forward "db": bind must be "localhost", "all", "docker" or an IP address, got "any"',
      11,
      14,
    ],
    [
      "bind: [127.0.0.1, 127.0.0.1]",
      'BadAddress: forward "db": bind has both "127.0.0.1" and "127.0.0.1", which overlap',
      23,
      32,
    ],
    ["protocol: sctp", 'BadValue: forward "db": protocol must be "tcp" or "udp", got "sctp"', 15, 19],
    ["protocol: UDP", 'BadValue: forward "db": protocol must be "tcp" or "udp", got "UDP"', 15, 18],
    ["required: yes", 'WrongType: forward "db": required must be true or false, got "yes"', 15, 18],
    ["description: 5", 'WrongType: forward "db": description must be text, got 5 | put it in quotes', 18, 19],
    ["description:", 'Empty: forward "db": description is empty', 5, 16],
    ["context: 1", 'WrongType: forward "db": context must be text, got 1 | put it in quotes', 14, 15],
    ["context: ''", 'Empty: forward "db": context is empty', 14, 16],
    [
      "namespace: Shop",
      'BadValue: forward "db": namespace must be lowercase letters, digits and "-", at most 63, got "Shop"',
      16,
      20,
    ],
    [
      "probe: { status: {} }",
      'BadValue: forward "db": status must be like 200 or 200-399, got a map | status: "200-399"',
      22,
      24,
    ],
    ["kubeconfig: [a]", 'WrongType: forward "db": kubeconfig must be text, got a list', 17, 20],
  ])("cannot have %s", (field, message, column, endColumn) => {
    expect(errors(`forwards:\n  db:\n    ${field}\n`)).toContain(`3:${column}-${endColumn} ${message}`);
  });

  test.each([
    ["no target", "a: { port: 8080 }", '1:13-14 NoTarget: forward "a" has no target | target: svc/NAME'],
    ["nothing", "a: {}", '1:13-14 NoTarget: forward "a" has no target | target: svc/NAME'],
    [
      "no port of a pod",
      "a: { target: pod/x, local: 80 }",
      '1:13-14 NoPort: forward "a" needs a port: only a Service can go without | port: 8080',
    ],
    [
      "no port of a pod in one line",
      "a: '8080:pod/x'",
      '1:13-14 NoPort: forward "a" needs a port: only a Service can go without | port: 8080',
    ],
    [
      "a named port alone",
      "a: { target: x, port: http }",
      '1:13-14 NoLocal: forward "a" needs a local port, since its port is the name "http" | local: auto, or a number',
    ],
    [
      "a named pod port alone",
      "a: { target: x, targetPort: web }",
      '1:13-14 NoLocal: forward "a" needs a local port, since its port is the name "web" | local: auto, or a number',
    ],
    [
      "a Service alone",
      "a: { target: x }",
      '1:13-14 NoLocal: forward "a" needs a local port, since it names no port that could serve | local: auto, or a number',
    ],
    [
      "both ports",
      "a: { target: x, port: 8081, targetPort: 8080 }",
      '1:53-57 TwoPorts: forward "a" has both port and targetPort | port is the port of the Service, targetPort that of the pod: keep one',
    ],
    [
      "a long name of a pod port",
      "a: { target: pod/x, port: a-very-long-name, local: 8080 }",
      '1:39-55 BadPort: forward "a": no port of a container can be called "a-very-long-name" | the name of a container port has a letter, at most 15 characters and no "--"',
    ],
    [
      "two namespaces",
      "a: { target: x/svc/y, namespace: z, port: 8080 }",
      '1:46-47 GivenTwice: forward "a" names two namespaces: "x" in its target, and this',
    ],
    [
      "a list",
      "a: [1]",
      '1:16-19 WrongType: forward "a": it must be text or a map, got a list | as in "8080:svc/api:http"',
    ],
    [
      "a number",
      "a: 8080",
      '1:16-20 WrongType: forward "a": it must be text or a map, got 8080 | as in "8080:svc/api:http"',
    ],
  ])("cannot have %s", (_, entry, expected) => {
    expect(errors(`forwards: { ${entry} }`)).toEqual([expected]);
  });

  test.each([
    ["plain", "forwards:\n  a: 8080:svc/a:99999\n", "2:17-22"],
    ["single quotes", "forwards:\n  a: '8080:svc/a:99999'\n", "2:18-23"],
    ["double quotes", 'forwards:\n  a: "8080:svc/a:99999"\n', "2:18-23"],
    ["an escape before it", 'forwards:\n  a: "\\u0038080:svc/a:99999"\n', "2:23-28"],
    ["a block", "forwards:\n  a: >-\n    8080:svc/a:99999\n", "2:6-8"],
    ["several lines", 'forwards:\n  a: "8080:svc/a:\\\n    99999"\n', "2:6-19"],
  ])("in one line is shown at its column: %s", (_, text, place) => {
    expect(errors(text)).toEqual([
      `${place} BadPort: forward "a": port must be 1-65535 or the name of a port, got "99999"`,
    ]);
  });
});

describe("local ports that meet", () => {
  test.each([
    ["localhost and 127.0.0.1", "localhost", "127.0.0.1", "127.0.0.1:80/tcp"],
    ["localhost and ::1", "[::1]", "localhost", "localhost:80/tcp"],
    ["all and one", "0.0.0.0", "10.0.0.1", "10.0.0.1:80/tcp"],
    ["one and all", "10.0.0.1", "0.0.0.0", "0.0.0.0:80/tcp"],
    ["all of IPv6 and localhost", "[::]", "localhost", "localhost:80/tcp"],
    ["localhost and all of IPv6", "localhost", "[::]", "[::]:80/tcp"],
    ["two spellings", "[::1]", "[0:0::1]", "[0:0::1]:80/tcp"],
  ])("%s", (_, first, second, address) => {
    const text = `forwards:\n  a: "${first}:80:svc/a:1"\n  b: "${second}:80:svc/b:1"\n`;
    expect(errors(text)).toEqual([
      expect.stringContaining(
        `DuplicateLocal: "a" and "b" both use ${address} | use another port, or "local: auto"`,
      ),
    ]);
  });

  test.each([
    ["all of IPv4 and ::1", "0.0.0.0", "[::1]"],
    ["all of both", "0.0.0.0", "[::]"],
    ["two of loopback", "127.0.0.1", "127.0.0.2"],
  ])("but not %s", (_, first, second) => {
    expect(errors(`forwards:\n  a: "${first}:80:svc/a:1"\n  b: "${second}:80:svc/b:1"\n`)).toEqual([]);
  });

  test("are told for each later forward, with the first", () => {
    const text = "forwards:\n  a: 80:svc/a:1\n  b: 80:svc/b:1\n  c: { target: c, port: 80 }\n";
    expect(errors(text).map((error) => error.split(" | ")[0])).toEqual([
      '3:6-8 DuplicateLocal: "a" and "b" both use localhost:80/tcp',
      '4:25-27 DuplicateLocal: "a" and "c" both use localhost:80/tcp',
    ]);
  });
});

describe("warnings", () => {
  test.each([
    [
      "a public default",
      "defaults:\n  bind: 0.0.0.0\nforwards:\n  a: 8080:svc/a:1\n  b: 8081:svc/a:1\n",
      "2:9-16 PublicBind: defaults: other machines can connect through 0.0.0.0 | bind: localhost",
    ],
    [
      "a public address",
      'forwards:\n  a: "[::]:8080:svc/a:1"\n',
      '2:8-10 PublicBind: forward "a": other machines can connect through :: | bind: localhost',
    ],
    [
      "public addresses among others",
      "forwards:\n  a: { target: a, port: 8080, bind: [127.0.0.1, 10.0.0.1, 10.0.0.2] }\n",
      '2:37-68 PublicBind: forward "a": other machines can connect through 10.0.0.1, 10.0.0.2 | bind: localhost',
    ],
    [
      "a host where machines get their credentials",
      "forwards:\n  a: { target: host/169.254.169.254, port: 80, local: 8080 }\n",
      '2:16-36 MetadataHost: forward "a" leads to "169.254.169.254", where a cloud\'s machines get their credentials | `kfwd up` refuses it without --allow-metadata 169.254.169.254',
    ],
    [
      "a low port",
      "forwards:\n  a: 443:svc/a:1\n",
      '2:6-9 PrivilegedPort: forward "a" binds local port 443: ports below 1024 need root on most systems | local: 8443',
    ],
  ])("%s", (_, text, expected) => {
    expect(warnings(text)).toEqual([expected]);
  });

  test("none for what is usual", () => {
    expect(
      warnings("forwards:\n  a: 1024:svc/a:1\n  b: localhost:8080:svc/a:1\n  c: 127.0.0.9:8080:svc/a:1\n"),
    ).toEqual([]);
  });

  test("are not told together with errors", () => {
    const result = parseForwards("forwards:\n  a: 80:svc/a:1\n  b: 81:svc/a:0\n", FILE);
    expect(result).toMatchObject({ kind: "invalid", diagnostics: [{ severity: "error", line: 3 }], more: 0 });
  });
});

describe("many errors", () => {
  test("are told in the order of the file, whichever rule found them", () => {
    const text =
      "forwards:\n  b: { target: pod/x }\n  a: 8080\n  c: { foo: 1 }\n  d: { target: x, port: 0 }\nname: X\n";
    expect(errors(text).map((error) => error.split(":")[0])).toEqual(["2", "3", "4", "5", "6"]);
  });

  test("are ten at most, and counted", () => {
    const text = `forwards:\n${Array.from({ length: 37 }, (_, index) => `  a${index}: x`).join("\n")}`;
    const result = parseForwards(text, FILE);
    expect(result.kind === "invalid" && [result.diagnostics.length, result.more]).toEqual([10, 27]);
  });
});

test("what a file says is what its specs say", () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}[a-z0-9]$/);
  const port = fc.integer({ min: 1, max: 65535 });
  const isPrintable = (text: string): boolean => findControl(text) === undefined && !text.includes("\ufffd");
  const entry = fc.record(
    {
      target: fc.record({ kind: fc.constantFrom("svc", "sts", "deploy", "pod"), name: label }),
      port: fc.oneof(port, fc.constantFrom("http", "grpc-web")),
      protocol: fc.constantFrom("tcp", "udp"),
      bind: fc.constantFrom("localhost", "127.0.0.5", "::1"),
      description: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter(isPrintable),
      context: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 }),
      namespace: label,
      required: fc.boolean(),
    },
    { requiredKeys: ["target", "port"] },
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(label, entry), { minLength: 1, maxLength: 12, selector: ([name]) => name }),
      (entries) => {
        // JSON is YAML, and each forward has a local port of its own
        const file = entries.map(
          ([name, fields], index) => [name, { ...fields, local: 20_000 + index }] as const,
        );
        const text = JSON.stringify({ forwards: Object.fromEntries(file) }, null, 2);
        const { forwards } = project(text.replaceAll("$", "$$$$")); // a dollar is written twice
        const expected = file.map(([name, fields]) => ({
          name,
          protocol: "tcp",
          required: true,
          ...fields,
          bind: [fields.bind ?? "localhost"],
          port: undefined,
          remotePort: { via: fields.target.kind === "svc" ? "service" : "pod", port: fields.port },
          source: expect.objectContaining({ file: "forwards.yaml" }) as unknown,
        }));
        expect(forwards).toEqual(expected);
      },
    ),
  );
});

test.each([
  ["name: shop\nforwards: {}\n", "shop"],
  ["name: shop\nforwards: { api: { prot: 1 } }\nnmae: x\n", "shop"],
  ["forwards: {}\n", undefined],
  ["name: My Shop\n", undefined],
  ["name: 5\n", undefined],
  ["name: [shop]\n", undefined],
  ["name: shop\n\tforwards\n", undefined],
  ["- name: shop\n", undefined],
  ["", undefined],
])("the name in %j is %j", (text, name) => {
  expect(projectNameIn(text)).toBe(name);
});

test("a file that is too large has no name", () => {
  expect(projectNameIn(`name: shop\n${"#".repeat(300_000)}`)).toBeUndefined();
});
