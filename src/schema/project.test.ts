import { describe, expect, test } from "vitest";
import { forwardsOf, parseFiles, told, type Given } from "../../test/fakes/projectfiles.ts";

const one = (text: string, given?: Given) => forwardsOf(parseFiles({ "forwards.yaml": text }, given));

describe("fields of a forward", () => {
  test("all of them come to the spec", () => {
    const text = `
relay: { image: "r@sha256:${"0".repeat(64)}", namespace: tools }
forwards:
  db:
    target: sts/postgres
    port: 5432
    local: 15432
    url: postgres://{host}:{port}
    env: { DATABASE_URL: "{url}", DB_NAME: "{name}" }
    hosts: db.localhost
    labels: { team: orders }
    via: relay
    whenUnavailable: refuse
    hold: 1m30s
    ttl: 2h
    retry: { initial: 250ms, max: 5s }
    probe: { type: tcp, interval: 500ms, failures: 5 }
    pick: newest
    relay: { namespace: shop }
`;
    expect(one(text)["db"]).toEqual({
      name: "db",
      target: { kind: "sts", name: "postgres" },
      remotePort: { via: "pod", port: 5432 },
      protocol: "tcp",
      local: 15_432,
      bind: ["localhost"],
      required: true,
      url: "postgres://{host}:{port}",
      env: { DATABASE_URL: "{url}", DB_NAME: "{name}" },
      hosts: ["db.localhost"],
      labels: { team: "orders" },
      via: "relay",
      whenUnavailable: "refuse",
      holdMs: 90_000,
      ttlMs: 7_200_000,
      retry: { initialMs: 250, maxMs: 5_000, resetAfterMs: 10_000 },
      probe: { type: "tcp", path: "/", status: [200, 399], intervalMs: 500, timeoutMs: 2_000, failures: 5 },
      pick: "newest",
      relay: { image: `r@sha256:${"0".repeat(64)}`, namespace: "shop" },
      source: { file: "forwards.yaml", line: 4, column: 3 },
    });
  });

  test("what is the default anyhow is left out", () => {
    const text =
      "forwards: { a: { target: a, port: 8080, via: direct, whenUnavailable: hold, pick: sticky } }";
    expect(Object.keys(one(text)["a"] ?? {})).toEqual(
      Object.keys(one("forwards: { a: { target: a, port: 8080 } }")["a"] ?? {}),
    );
  });

  test("defaults reach into probe, retry and relay by one level; null takes them back", () => {
    const text = `
defaults: { probe: { type: http, path: /up, interval: 1s }, retry: { max: 1s }, relay: { namespace: x } }
forwards:
  a: { target: a, port: 8080, probe: { path: /health }, retry: { initial: 1ms }, relay: { serviceAccount: s } }
  b: { target: b, port: 8081, probe: null, retry: null, relay: null }
  c: { target: c, port: 8082, protocol: udp }
`;
    const { a, b, c } = one(text);
    expect(a).toMatchObject({
      probe: { type: "http", path: "/health", intervalMs: 1_000 },
      retry: { initialMs: 1, maxMs: 1_000 },
      relay: { namespace: "x", serviceAccount: "s" },
    });
    expect([b?.probe, b?.retry, b?.relay]).toEqual([undefined, undefined, undefined]);
    expect(c?.probe?.type).toBe("tunnel"); // asking over TCP would mean nothing
  });

  test("ports makes a forward of each, with names of their own", () => {
    const text = `forwards: { kafka: { target: svc/redpanda, ports: ["9092:kafka", 8081, "auto:admin/tcp", "53/udp"] } }`;
    expect(Object.values(one(text)).map(({ name, local, protocol }) => [name, local, protocol])).toEqual([
      ["kafka:kafka", 9092, "tcp"],
      ["kafka:8081", 8081, "tcp"],
      ["kafka:admin", "auto", "tcp"],
      ["kafka:53", 53, "udp"],
    ]);
  });

  test("a context of its own and one to follow do not go together, and either beats the default", () => {
    const text = `
context: dev
defaults: {}
forwards:
  a: { target: a, port: 8080, followContext: true }
  b: { target: b, port: 8081 }
`;
    const { a, b } = one(text);
    expect([a?.context, a?.followContext, b?.context]).toEqual([undefined, true, "dev"]);
    expect(
      told(
        parseFiles({
          "forwards.yaml": "forwards: { a: { target: a, port: 8080, context: x, followContext: true } }",
        }),
      ),
    ).toEqual([
      'forwards.yaml:1:68 GivenTwice: forward "a" has a context, so it cannot follow another | keep context or followContext',
    ]);
  });

  test("followContext at the top of the file is that of defaults", () => {
    const text = `
followContext: true
forwards:
  a: { target: a, port: 8080 }
  b: { target: b, port: 8081, context: dev }
  c: { target: c, port: 8082, followContext: false }
environments: { stg: { context: stg } }
`;
    const follows = (environment?: string) =>
      Object.values(one(text, { environment })).map((spec) => [spec.context, spec.followContext]);
    expect(follows()).toEqual([
      [undefined, true],
      ["dev", undefined],
      [undefined, undefined],
    ]);
    expect(follows("stg")).toEqual([
      ["stg", undefined],
      ["dev", undefined],
      ["stg", undefined],
    ]);
    const wrong = (top: string) =>
      told(parseFiles({ "forwards.yaml": `${top}\nforwards: { a: "8080:svc/a:80" }` }));
    expect(wrong("followContext: often")).toEqual([
      'forwards.yaml:1:16 WrongType: followContext must be true or false, got "often"',
    ]);
    expect(wrong("followContext: true\ndefaults: { followContext: false }")).toEqual([
      "forwards.yaml:1:16 GivenTwice: followContext is given twice: at the top of the file and in defaults",
    ]);
    expect(wrong("followContext: true\ncontext: dev")).toEqual([
      "forwards.yaml:1:16 GivenTwice: defaults: forwards cannot both have a context and follow another | keep context or followContext",
    ]);
  });

  test("what does not follow keeps the context of the file below it", () => {
    const files = {
      "forwards.yaml": "forwards: { a: { target: a, port: 8080, context: dev } }",
      "override.yaml": "forwards: { a: { followContext: false } }",
    };
    expect(forwardsOf(parseFiles(files))["a"]?.context).toBe("dev");
  });

  test("docker is the engine's bridge where there is one, else loopback", () => {
    const text =
      "forwards: { a: { target: a, port: 8080, bind: [localhost, docker] }, b: { target: b, port: 8081, bind: docker } }";
    expect(one(text, { facts: { dockerAddress: "172.17.0.1" } })["a"]?.bind).toEqual([
      "localhost",
      "172.17.0.1",
    ]);
    expect(one(text)["a"]?.bind).toEqual(["localhost"]);
    expect(one(text)["b"]?.bind).toEqual(["localhost"]);
  });
});

describe("environments", () => {
  const TEXT = `
name: shop
namespace: shop
ranges: { apis: 8080-8089 }
forwards:
  api: { target: api, port: 8080, range: apis }
  free: { target: free, port: http, local: auto, range: apis }
  dns: "5353:kube-system/svc/kube-dns:53/udp"
  pinned: { target: x, port: 9000, namespace: own }
environments:
  dev: { context: kind-dev }
  staging:
    context: stg
    namespace: shop-stg
    portOffset: 10000
    profiles: [debug]
    defaults: { required: false }
    forwards: { dns: null, api: { description: staging }, extra: "7000:svc/extra:80", pinned: { local: 9001 } }
`;

  test("none is in force unless one is named", () => {
    const result = parseFiles({ "forwards.yaml": TEXT });
    expect(forwardsOf(result)["api"]).toMatchObject({ local: 8080, namespace: "shop" });
    expect(result).toMatchObject({
      project: { name: "shop" },
      details: { environments: ["dev", "staging"], portOffset: 0 },
    });
    expect(result.kind === "valid" && result.project.environment).toBe(undefined);
  });

  test("change context, namespace, defaults and forwards, and move ports and ranges out of the way", () => {
    const result = parseFiles({ "forwards.yaml": TEXT }, { environment: "staging" });
    const { api, free, dns, pinned, extra } = forwardsOf(result);
    expect(api).toMatchObject({
      context: "stg",
      namespace: "shop-stg",
      local: 18_080,
      required: false,
      description: "staging",
    });
    expect(free?.localRange).toEqual({ first: 18_080, last: 18_089 });
    expect(dns).toBeUndefined();
    expect(pinned).toMatchObject({ namespace: "own", local: 9001 }); // said for this environment
    expect(extra?.local).toBe(7000);
    expect(result).toMatchObject({ project: { environment: "staging" } });
  });

  test("defaultEnvironment is in force without -e", () => {
    const text = `${TEXT}defaultEnvironment: dev\n`;
    expect(one(text)["api"]?.context).toBe("kind-dev");
    expect(one(text, { environment: "staging" })["api"]?.context).toBe("stg");
  });

  test.each([
    [
      "an unknown one",
      TEXT,
      { environment: "stagin" },
      'forwards.yaml:10:1 UnknownEnvironment: no environment named "stagin" | did you mean "staging"? known: dev, staging',
    ],
    [
      "an unknown default",
      `${TEXT}defaultEnvironment: prod\n`,
      {},
      'forwards.yaml:19:21 UnknownEnvironment: no environment named "prod" | known: dev, staging',
    ],
    [
      "an offset too large",
      TEXT.replace("10000", "60000"),
      { environment: "staging" },
      `forwards.yaml:6:29 BadPort: forward "api": local port 8080 and the environment's portOffset 60000 are more than 65535 | lower the portOffset`,
    ],
    [
      "a typing error in one that is not in force",
      TEXT.replace("    portOffset", "    portofset"),
      {},
      'forwards.yaml:15:5 UnknownKey: unknown key "portofset" in environment "staging" | did you mean "portOffset"?',
    ],
  ])("refuses %s", (_, text, given, expected) => {
    expect(told(parseFiles({ "forwards.yaml": text }, given))[0]).toBe(expected);
  });

  test("variables of the others need not be set", () => {
    const text = "forwards: { a: 8080:svc/a:80 }\nenvironments: { dev: {}, ci: { context: $CI_CONTEXT } }\n";
    expect(one(text, { environment: "dev" })["a"]?.local).toBe(8080);
    expect(told(parseFiles({ "forwards.yaml": text }, { environment: "ci" }))[0]).toContain(
      "UnsetVariable: variable CI_CONTEXT is not set (used in context)",
    );
  });
});

describe("profiles and enabled", () => {
  const TEXT = `
forwards:
  api: 8080:svc/api:80
  debug: { target: debug, port: 8081, profiles: [debug, all] }
  off: { target: off, port: 8082, enabled: false }
`;
  const names = (given?: Given): readonly string[] => Object.keys(one(TEXT, given));

  test("a forward without profiles is always on, others when one of theirs is", () => {
    expect(names()).toEqual(["api"]);
    expect(names({ profiles: ["all"] })).toEqual(["api", "debug"]);
  });

  test("naming a forward turns it on, unless it is switched off", () => {
    expect(names({ names: ["debug", "off"] })).toEqual(["api", "debug"]);
  });

  test("the details know all of them, and why they are off", () => {
    const result = parseFiles({ "forwards.yaml": TEXT });
    const entries = result.kind === "valid" ? result.details.entries : [];
    expect(entries.map(({ spec, off }) => [spec.name, off])).toEqual([
      ["api", undefined],
      ["debug", "profile"],
      ["off", "disabled"],
    ]);
  });

  test("forwards that are never on together may share a port", () => {
    const text =
      "forwards: { a: { target: a, port: 8080, profiles: x }, b: { target: b, port: 8080, profiles: y } }";
    expect(Object.keys(one(text, { profiles: ["x"] }))).toEqual(["a"]);
    expect(told(parseFiles({ "forwards.yaml": text }, { profiles: ["x", "y"] }))[0]).toContain(
      "DuplicateLocal",
    );
  });
});

describe("includes", () => {
  const PLATFORM = `
namespace: platform
defaults: { required: false }
ranges: { platform: 6000-6999 }
protect: ["*prod*"]
forwards:
  redis: "6379:svc/redis:6379"
  logs: "3100:svc/loki:http"
`;

  test("their environment turns on its profiles, and leaves the portOffset to the file that includes them", () => {
    const files = {
      "forwards.yaml":
        "include: a.yaml\nforwards: { api: 8080:svc/api:80, own: { target: own, port: 8081, profiles: mine } }\n" +
        "environments: { ci: { profiles: mine } }\n",
      "a.yaml":
        "include: b.yaml\nforwards: { db: { target: db, port: 5432, profiles: data } }\n" +
        "environments: { ci: { profiles: data, portOffset: 10000 } }\n",
      "b.yaml":
        "forwards: { mq: { target: mq, port: 5672, profiles: queue } }\nenvironments: { ci: { profiles: queue } }\n",
    };
    const locals = (given?: Given) =>
      Object.values(forwardsOf(parseFiles(files, given))).map(({ name, local }) => [name, local]);
    expect(locals()).toEqual([["api", 8080]]);
    expect(locals({ environment: "ci" })).toEqual([
      ["mq", 5672],
      ["db", 5432],
      ["api", 8080],
      ["own", 8081],
    ]);
    const bad = { ...files, "b.yaml": "forwards: {}\nenvironments: { ci: { portOffset: much } }\n" };
    expect(told(parseFiles(bad, { environment: "ci" }))[0]).toMatch(/^b\.yaml:2:35 /);
  });

  test("bring forwards with the defaults of their own file, under the file that names them", () => {
    const files = {
      "forwards.yaml":
        'namespace: shop\ninclude: platform/forwards.yaml\nforwards: { api: "8080:svc/api:80", redis: { local: 6380 } }\n',
      "platform/forwards.yaml": PLATFORM,
    };
    const result = parseFiles(files);
    const { api, redis, logs } = forwardsOf(result);
    expect([api?.namespace, redis?.namespace, redis?.local]).toEqual(["shop", "platform", 6380]);
    expect(logs?.source).toEqual({ file: "platform/forwards.yaml", line: 8, column: 3 });
    expect(result).toMatchObject({
      project: { protect: ["*prod*"] },
      details: {
        ranges: [{ name: "platform", first: 6000 }],
        files: [
          { name: "platform/forwards.yaml", role: "include" },
          { name: "forwards.yaml", role: "base" },
        ],
      },
    });
  });

  test("take a prefix and a choice, and may be missing where that is said", () => {
    const files = {
      "forwards.yaml":
        "include: [{ path: p.yaml, prefix: p-, only: [redis] }, { path: gone.yaml, optional: true }]\n",
      "p.yaml": PLATFORM,
    };
    expect(Object.keys(forwardsOf(parseFiles(files)))).toEqual(["p-redis"]);
  });

  test("have variables of their own folder", () => {
    const files = {
      "forwards.yaml": "include: sub/f.yaml\nforwards: { a: { target: a, port: $P } }\n",
      "sub/f.yaml": "forwards: { b: { target: b, port: $P } }\n",
    };
    const forwards = forwardsOf(parseFiles(files, { vars: { "/repo:P": "8080", "/repo/sub:P": "9090" } }));
    expect([forwards["a"]?.local, forwards["b"]?.local]).toEqual([8080, 9090]);
  });

  test("may meet in one file without a clash", () => {
    const files = {
      "forwards.yaml": "include: [a.yaml, b.yaml]\n",
      "a.yaml": "include: c.yaml\n",
      "b.yaml": "include: c.yaml\n",
      "c.yaml": "forwards: { c: 8080:svc/c:80 }\n",
    };
    expect(Object.keys(forwardsOf(parseFiles(files)))).toEqual(["c"]);
  });

  test.each([
    [
      "one that is missing",
      { "forwards.yaml": "include: [../p.yaml]\n" },
      'forwards.yaml:1:11 IncludeMissing: included file "../p.yaml" not found | { path: ../p.yaml, optional: true } where it may be missing',
    ],
    [
      "a cycle",
      { "forwards.yaml": "include: a.yaml\n", "a.yaml": "include: forwards.yaml\n" },
      "a.yaml:1:10 IncludeCycle: include cycle forwards.yaml → a.yaml → forwards.yaml",
    ],
    [
      "itself",
      { "forwards.yaml": "include: forwards.yaml\n" },
      "forwards.yaml:1:10 IncludeCycle: include cycle forwards.yaml → forwards.yaml",
    ],
    [
      "a clash",
      {
        "forwards.yaml": "include: [a.yaml, b.yaml]\n",
        "a.yaml": "forwards:\n  db: 1111:svc/a:1\n",
        "b.yaml": "forwards:\n\n  db: 2222:svc/b:1\n",
      },
      'a.yaml:2:3 IncludeClash: "db" is defined in a.yaml:2 and b.yaml:3 | include one of them with a prefix: { path: …, prefix: other- }',
    ],
    [
      "an address",
      { "forwards.yaml": "include: https://x.invalid/f.yaml\n" },
      'forwards.yaml:1:10 BadInclude: cannot include "https://x.invalid/f.yaml": only files of this project and of its packages | include: pkg:@acme/ports/forwards.yaml',
    ],
    [
      "a variable in it",
      { "forwards.yaml": "include: $HOME/f.yaml\n" },
      "forwards.yaml:1:10 BadVariable: include: variables are not allowed in include",
    ],
    [
      "a name that is not there",
      {
        "forwards.yaml": "include: { path: a.yaml, only: bb }\n",
        "a.yaml": "forwards: { b: 8080:svc/b:80 }\n",
      },
      'forwards.yaml:1:18 IncludeMissing: the included file has no forward "bb" | known: b',
    ],
    [
      "a number",
      { "forwards.yaml": "include: [5]\n" },
      "forwards.yaml:1:11 WrongType: include: it must be a path or a map with a path, got 5 | include: [../platform/forwards.yaml]",
    ],
    [
      "what is wrong in it",
      { "forwards.yaml": "include: a.yaml\n", "a.yaml": "forwards:\n  b: 8080:svc/b:99999\n" },
      'a.yaml:2:17 BadPort: forward "b": port must be 1-65535 or the name of a port, got "99999"',
    ],
  ])("refuse %s", (_, files, expected) => {
    expect(told(parseFiles(files))[0]).toBe(expected);
  });

  test("are five deep at most", () => {
    const files = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [
        index === 0 ? "forwards.yaml" : `${index}.yaml`,
        `include: ${index + 1}.yaml\nforwards: { f${index}: ${8080 + index}:svc/a:80 }\n`,
      ]),
    );
    expect(told(parseFiles(files))[0]).toContain("includes are nested deeper than 5 files");
  });
});

describe("files laid over each other", () => {
  test("maps merge by key, lists and scalars replace, null removes; the local file is the strongest", () => {
    const files = {
      "forwards.yaml": `
defaults: { bind: [127.0.0.1, "::1"] }
forwards:
  api: { target: api, port: 8080, env: { A: "1", B: "2" }, profiles: [x] }
  db: "5432:svc/db:5432"
  gone: "7000:svc/gone:80"
environments: { dev: { forwards: { api: { local: 8081 } } } }
`,
      "override.yaml": `
defaults: { bind: [127.0.0.2] }
forwards: { api: { env: { B: null, C: "3" }, profiles: null }, gone: null, more: "9000:svc/more:80" }
`,
      "forwards.local.yaml": "forwards: { api: { local: 28080 }, db: { local: 25432 } }\n",
    };
    const forwards = forwardsOf(parseFiles(files, { environment: "dev" }));
    expect(Object.keys(forwards)).toEqual(["api", "db", "more"]);
    expect(forwards["api"]).toMatchObject({ local: 28_080, env: { A: "1", C: "3" }, bind: ["127.0.0.2"] });
    expect(forwards["db"]).toMatchObject({ local: 25_432, target: { kind: "svc", name: "db" } });
  });

  test("a forward in one line takes the place of the whole", () => {
    const files = {
      "forwards.yaml": "forwards: { a: { target: a, port: 8080, required: false } }\n",
      "override.yaml": 'forwards: { a: "9090:sts/b:80" }\n',
    };
    expect(forwardsOf(parseFiles(files))["a"]).toMatchObject({ required: true, local: 9090 });
  });

  test("of two ports the later one is meant", () => {
    const files = {
      "forwards.yaml": 'forwards: { a: "8080:svc/a:80" }\n',
      "override.yaml": "forwards: { a: { targetPort: 8081 } }\n",
    };
    expect(forwardsOf(parseFiles(files))["a"]?.remotePort).toEqual({ via: "pod", port: 8081 });
  });

  test("errors have their place in the file that made them", () => {
    const files = {
      "forwards.yaml": 'forwards: { a: "8080:svc/a:80", b: "8081:svc/b:80" }\n',
      "forwards.local.yaml": "name: x\nforwards:\n  a: { local: 8081 }\n  b: { prot: udp }\n  c:\n",
    };
    expect(told(parseFiles(files)).map((line) => line.split(" | ")[0])).toEqual([
      'forwards.yaml:1:37 DuplicateLocal: "a" and "b" both use localhost:8081/tcp',
      'forwards.local.yaml:1:1 BadKey: the local file cannot have "name"',
      'forwards.local.yaml:4:8 UnknownKey: unknown key "prot" in forward "b"',
    ]);
    files["forwards.local.yaml"] = "forwards:\n  a: { local: 8081 }\n  c:\n";
    expect(told(parseFiles(files)).map((line) => line.split(" | ")[0])).toEqual([
      'forwards.yaml:1:37 DuplicateLocal: "a" and "b" both use localhost:8081/tcp',
    ]);
  });

  test("relative paths start in the folder of their file, and stay in the project", () => {
    const files = {
      "forwards.yaml": "include: sub/f.yaml\nkubeconfig: ./k\nforwards: { a: 8080:svc/a:80 }\n",
      "sub/f.yaml": "kubeconfig: ../other/k\nforwards: { b: 8081:svc/b:80 }\n",
    };
    const forwards = forwardsOf(parseFiles(files));
    expect([forwards["a"]?.kubeconfig, forwards["b"]?.kubeconfig]).toEqual(["/repo/k", "/repo/other/k"]);
    expect(
      told(parseFiles({ "forwards.yaml": "kubeconfig: ../../etc/k\nforwards: { a: 8080:svc/a:80 }\n" })),
    ).toEqual([
      'forwards.yaml:1:13 BadPath: kubeconfig "../../etc/k" leads out of the project | write an absolute path, or one that starts with ~/',
    ]);
  });
});

test.each([
  ["a number", 'target: svc/a, local: "$NO"', ["UnsetVariable"]],
  ["a target", 'target: "svc/${}"', ["BadVariable"]],
  ["another beside it", 'target: svc/a, local: "$NO", pick: any', ["UnsetVariable", "BadValue"]],
  ["a control character", 'target: svc/a, url: "x\\e$$"', ["ControlCharacter"]],
])("a value that lacks its variable has no other mistake: %s", (_, fields, codes) => {
  const result = parseFiles({ "forwards.yaml": `forwards: { a: { port: 80, ${fields} } }\n` });
  expect(result.kind === "invalid" && result.diagnostics.map(({ code }) => code)).toEqual(codes);
});

test("what is wrong in the relay of all forwards is told once", () => {
  const text = "relay: { imge: x }\nforwards: { a: 8080:svc/a:80 }\n";
  expect(told(parseFiles({ "forwards.yaml": text }))).toEqual([
    'forwards.yaml:1:10 UnknownKey: unknown key "imge" in relay | did you mean "image"?',
  ]);
});

test("the details say where every value was written", () => {
  const files = {
    "forwards.yaml": 'defaults: { probe: { type: tcp } }\nforwards:\n  a: "8080:svc/a:http"\n',
    "forwards.local.yaml": "forwards:\n  a: { probe: { interval: 5s } }\n",
  };
  const result = parseFiles(files);
  const [entry] = result.kind === "valid" ? result.details.entries : [];
  expect(entry?.origins).toMatchObject({
    local: { file: "forwards.yaml", line: 3, column: 7 },
    port: { file: "forwards.yaml", line: 3, column: 18 },
    "probe.type": { file: "forwards.yaml", line: 1, column: 28 },
    "probe.interval": { file: "forwards.local.yaml", line: 2, column: 27 },
  });
});

test("a port of a pod was written as targetPort, also where it is printed as port", () => {
  const text = "forwards:\n  a: { target: { selector: app=a }, targetPort: http, local: 8080 }\n";
  const result = parseFiles({ "forwards.yaml": text });
  const [entry] = result.kind === "valid" ? result.details.entries : [];
  expect(entry?.origins).toMatchObject({ port: { file: "forwards.yaml", line: 2, column: 49 } });
});

test.each([
  ["a version that fits", "requires: '>=0.1'", []],
  [
    "another version",
    "requires: '>=2'",
    ['forwards.yaml:1:11 OtherVersion: this file needs kfwd ">=2", this is 0.1.0 | npm install kfwd@">=2"'],
  ],
  [
    "no version",
    "requires: soon",
    [
      'forwards.yaml:1:11 BadValue: requires must be a range of versions like ">=0.2", got "soon" | requires: ">=0.2"',
    ],
  ],
])("requires: %s", (_, line, expected) => {
  const files = { "forwards.yaml": `${line}\nforwards: { a: "8080:svc/a:80" }\n` };
  expect(told(parseFiles(files, { facts: { version: "0.1.0" } }))).toEqual(expected);
});

test("nothing that a variable or a file brings along can move a cursor", () => {
  const files = {
    "forwards.yaml": 'forwards: { a: { target: a, port: "${GONE:?say \u202e so}" } }\n"\ta": $GONE\n',
  };
  expect(told(parseFiles(files)).join(" ")).toMatch(/not set: say \\u202e so/);
  expect(told(parseFiles(files)).join("")).not.toMatch(/[\t\u202e]/);
});

test.each([["constructor"], ["toString"], ["__proto__"], ["hasOwnProperty"]])(
  "the key %s, which every object has, is an unknown one wherever defaults are laid over others",
  (key) => {
    const files = {
      "forwards.yaml": 'relay: []\nforwards: { a: "8080:svc/a:80" }\n',
      "forwards.local.yaml": `defaults: { ${key}: {} }\nforwards: { a: { ${key}: {} } }\n`,
    };
    const unknown = told(parseFiles(files)).filter((one) => one.includes("UnknownKey"));
    expect(unknown).toHaveLength(2);
  },
);

test("variables of environments that are not in force are known, and may be unset", () => {
  const text = `
forwards: { a: "8080:svc/a:80" }
environments:
  dev: { context: "\${DEV}" }
  staging: { context: "\${STAGING}", forwards: { a: { port: "\${PORT:-81}" } } }
defaultEnvironment: dev
`;
  const result = parseFiles({ "forwards.yaml": text }, { vars: { DEV: "kind" } });
  const names = (uses: readonly { readonly name: string }[] = []): readonly string[] =>
    uses.map(({ name }) => name);
  const details = result.kind === "valid" ? result.details : undefined;
  expect([names(details?.variables), names(details?.idleVariables)]).toEqual([["DEV"], ["STAGING", "PORT"]]);
  expect(details?.idleVariables[1]?.places).toMatchObject([{ line: 5 }]);
});

describe("files that cannot be used because variables are not set", () => {
  const known = (text: string, given?: Given): unknown => {
    const result = parseFiles({ "forwards.yaml": text }, given);
    return result.kind === "invalid" && result.variables;
  };

  test("tell every variable, those of one value and of other environments, too", () => {
    const text = `
defaultEnvironment: "\${STAGE}"
context: "\${REGION}-\${CLUSTER:?say which}"
ranges: { apis: "\${FIRST}-\${LAST:-8099}" }
forwards: { api: { target: svc/a, port: 80, range: apis, local: auto }, b: "\${PORT}:svc/b:80" }
environments:
  dev: { context: "\${DEV}", forwards: { b: { port: "\${MORE:+81}" } } }
`;
    expect(known(text, { vars: { REGION: "eu" } })).toMatchObject([
      { name: "STAGE", required: true },
      { name: "REGION", required: true, value: "eu", from: "process" },
      { name: "CLUSTER", required: true },
      { name: "FIRST", required: true },
      { name: "LAST", required: false, default: "8099" },
      { name: "PORT", required: true },
      { name: "DEV", required: true },
      { name: "MORE", required: false },
    ]);
  });

  test("tell them as long as nothing else is wrong than what they would have said", () => {
    const text = `
ranges: { apis: { ports: "\${FIRST}-8099" } }
context: "\${CONTEXT}"
include: []
forwards:
  api: { target: svc/a, port: 80, range: apis, local: auto, probe: "\${PROBE}" }
  b: "\${PORT}:svc/b:80"
defaultEnvironment: dev
environments: { dev: { portOffset: "\${OFFSET}", profiles: ["\${PROFILE}"] } }
`;
    expect(known(text)).toHaveLength(6);
  });

  test("a default with a variable in it that is not set is no default", () => {
    const [, outer] = known('forwards: { a: "${OUTER:-${INNER}}:svc/a:80" }\n') as readonly object[];
    expect(outer).toMatchObject({ name: "OUTER", required: false });
    expect(outer).not.toHaveProperty("default");
  });

  test.each([
    ["another key", 'forwards: { a: { target: "svc/$GONE", prot: 80 } }\n'],
    ["another value", 'forwards: { a: "8080:svc/$GONE:80", b: "$:svc/b:80" }\n'],
    ["no variable", 'forwards: { a: "8080" }\n'],
  ])("tell none beside what else is wrong: %s", (_, text) => {
    expect(known(text)).toBeUndefined();
  });
});
