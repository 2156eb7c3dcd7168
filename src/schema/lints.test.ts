import { describe, expect, test } from "vitest";
import { parseFiles, told, type Given } from "../../test/fakes/projectfiles.ts";
import { LINT_RULES, type LintRule } from "./lint-rules.ts";

interface Case {
  readonly rule: LintRule;
  readonly files: Readonly<Record<string, string>>;
  readonly given?: Given;
  /** `file:line:column Code: message | hint` */
  readonly told: string;
}

const inFile = (text: string): Readonly<Record<string, string>> => ({ "forwards.yaml": text });

const CASES: readonly Case[] = [
  {
    rule: "metadata-host",
    files: inFile("forwards: { a: { target: host/169.254.169.254, port: 80, local: 8080 } }\n"),
    told: 'forwards.yaml:1:26 MetadataHost: forward "a" leads to "169.254.169.254", where a cloud\'s machines get their credentials | `kfwd up` refuses it without --allow-metadata 169.254.169.254',
  },
  {
    rule: "duplicate-local",
    files: inFile(`ranges: { apis: 8080-8089 }
forwards:
  a: { target: a, port: 8080, range: apis }
  b: { target: b, port: 8080, range: apis }
`),
    told: 'forwards.yaml:4:25 DuplicateLocal: "a" and "b" both use localhost:8080/tcp | use "local: auto", or a free port of range apis: 8081',
  },
  {
    rule: "out-of-range",
    files: inFile(
      'ranges: { databases: { ports: 5432-5434, match: "*db" } }\nforwards:\n  db: { target: db, port: 3306 }\n  otherdb: 5432:svc/db:1\n',
    ),
    told: 'forwards.yaml:3:27 OutOfRange: "db" uses 3306, range databases is 5432-5434 | free: 5433, 5434',
  },
  {
    rule: "privileged",
    files: inFile('forwards: { a: "443:svc/a:1" }'),
    told: 'forwards.yaml:1:17 PrivilegedPort: forward "a" binds local port 443: ports below 1024 need root on most systems | local: 8443',
  },
  {
    rule: "ephemeral",
    files: inFile('forwards: { a: "40000:svc/a:1" }'),
    told: 'forwards.yaml:1:17 Ephemeral: forward "a" binds local port 40000: Linux hands out 32768-60999 to any program | use a port below 32768',
  },
  {
    rule: "macos-airplay",
    files: inFile('forwards: { a: "5000:svc/a:1" }'),
    told: 'forwards.yaml:1:17 MacosAirplay: forward "a" binds local port 5000: macOS has its AirPlay Receiver on 5000 or 7000 | local: 5001',
  },
  {
    rule: "bad-port",
    files: inFile('forwards: { a: { target: a, port: 6000, url: "http://{host}:{port}" } }'),
    told: 'forwards.yaml:1:35 BadPort: forward "a" binds local port 6000: browsers and fetch refuse to go there ("bad port") | use another port, since it has a url',
  },
  {
    rule: "bind-public",
    files: inFile("forwards: { a: { target: a, port: 8080, bind: all } }"),
    told: 'forwards.yaml:1:47 PublicBind: forward "a": other machines can connect through 0.0.0.0, :: | bind: localhost',
  },
  {
    rule: "compose-clash",
    files: inFile('forwards: { a: "8080:svc/a:1" }'),
    given: { facts: { published: new Map([[8080, '"web" of compose.yaml']]) } },
    told: 'forwards.yaml:1:17 ComposeClash: forward "a" binds local port 8080, which "web" of compose.yaml publishes too | use another port for one of them',
  },
  {
    rule: "protected-context",
    files: inFile('protect: ["*prod*"]\nforwards: { a: { target: a, port: 8080, context: prod-eu } }'),
    told: 'forwards.yaml:2:50 ProtectedContext: forward "a" is in context "prod-eu", which matches protect "*prod*" | --allow-context prod-eu',
  },
  {
    rule: "relay-unpinned",
    files: inFile('relay: { image: "acme/relay:1" }\nforwards: { a: "8080:svc/a:1" }'),
    told: 'forwards.yaml:1:17 RelayUnpinned: the relay\'s image "acme/relay:1" has no digest, so it may change | image: acme/relay:1@sha256:…',
  },
  {
    rule: "range-overlap",
    files: inFile('ranges: { a: 8080-8089, b: 8085-8095 }\nforwards: { a: "8086:svc/a:1" }'),
    told: 'forwards.yaml:1:25 RangeOverlap: ranges "a" and "b" overlap | give each its own ports',
  },
  {
    rule: "unused-range",
    files: inFile('ranges: { a: 9000-9001 }\nforwards: { a: "8080:svc/a:1" }'),
    told: 'forwards.yaml:1:11 UnusedRange: no forward is in range "a" | remove it, or name it with range:',
  },
  {
    rule: "unused-profile",
    files: inFile('forwards: { a: "8080:svc/a:1" }\nenvironments: { dev: { profiles: [debug] } }'),
    given: { environment: "dev" },
    told: 'forwards.yaml:2:34 UnusedProfile: no forward is in profile "debug" | remove it, or name it in profiles: of a forward',
  },
  {
    rule: "env-name-clash",
    files: inFile(
      "forwards:\n  a: { target: a, port: 8080, env: { URL: x } }\n  b: { target: b, port: 8081, env: { URL: y } }\n",
    ),
    told: 'forwards.yaml:3:36 EnvNameClash: "a" and "b" both set URL | give each a variable of its own',
  },
  {
    rule: "local-file-tracked",
    files: { "forwards.yaml": 'forwards: { a: "8080:svc/a:1" }', "forwards.local.yaml": "x-any: 1\n" },
    given: { facts: { isLocalTracked: true } },
    told: "forwards.local.yaml:1:1 LocalFileTracked: git tracks this file, which is for one machine alone | git rm --cached forwards.local.yaml, and name it in .gitignore",
  },
  {
    rule: "entry-shadows-include",
    files: {
      "forwards.yaml": 'include: f.yaml\nforwards: { a: "8080:svc/a:1" }',
      "f.yaml": 'forwards: { a: "8081:svc/b:1" }',
    },
    told: 'forwards.yaml:2:13 EntryShadowsInclude: forward "a" hides an included one of the same name | write only what differs, or include it with a prefix',
  },
  {
    rule: "unquoted-compact",
    files: inFile("forwards: { a: 8080:svc/a:1 }"),
    told: 'forwards.yaml:1:16 UnquotedCompact: forward "a" in one line is not in quotes | a: "8080:svc/a:1"',
  },
];

test("an image is told of where it was chosen, not where the rest of the relay was", () => {
  const files = inFile(
    'relay: { image: "acme/relay:1" }\nforwards: { a: { target: a, port: 8080, via: relay, relay: { ttl: 1h } } }',
  );
  expect(told(parseFiles(files)).join()).toContain("forwards.yaml:1:17 RelayUnpinned");
});

test("every lint has a case", () => {
  expect(CASES.map(({ rule }) => rule).toSorted()).toEqual(Object.keys(LINT_RULES).toSorted());
});

describe.each(CASES)("$rule", ({ rule, files, given, told: expected }) => {
  const withLevel = (level: string) =>
    parseFiles(
      { ...files, "forwards.yaml": `lint: { ${rule}: ${level} }\n${files["forwards.yaml"] ?? ""}` },
      given,
    );
  /** The line of `lint:` moves everything in the file down by one. */
  const moved = expected.replace(
    /^forwards\.yaml:([0-9]+)/,
    (_, line) => `forwards.yaml:${Number(line) + 1}`,
  );

  test(`is ${LINT_RULES[rule]} by itself`, () => {
    const result = parseFiles(files, given);
    const level = LINT_RULES[rule];
    expect(result.kind).toBe(level === "error" ? "invalid" : "valid");
    if (level === "info") {
      expect(told(result)).toEqual([]);
      expect(result.kind === "valid" && result.notes).toMatchObject([{ severity: "info", rule }]);
    } else {
      expect(told(result)).toEqual([expected]);
      const [first] = result.kind === "valid" ? result.warnings : result.diagnostics;
      expect(first?.rule).toBe(rule);
    }
  });

  test("is an error, a warning or nothing as the file wants it", () => {
    expect(withLevel("error").kind).toBe("invalid");
    expect(told(withLevel("error"))).toEqual([moved]);
    expect(withLevel("warn").kind).toBe("valid");
    expect(told(withLevel("warn"))).toEqual([moved]);
    expect(told(withLevel("off"))).toEqual([]);
  });
});

test.each([
  [
    "lint: { privilegd: off }",
    'forwards.yaml:1:9 UnknownKey: unknown rule "privilegd" in lint | did you mean "privileged"?',
  ],
  [
    "lint: { privileged: loud }",
    'forwards.yaml:1:21 BadValue: lint "privileged": its level must be "off", "warn" or "error", got "loud"',
  ],
  [
    "lint: [privileged]",
    "forwards.yaml:1:7 WrongType: lint must be a map of rules, got a list | lint: { privileged: off }",
  ],
  [
    "ranges: { a: 9-8 }",
    'forwards.yaml:1:14 BadRange: range "a": ports must be like 8080-8089, within 1-65535, got "9-8" | 8080-8089',
  ],
  [
    "ranges: { a: { ports: 1-2, levl: off } }",
    'forwards.yaml:1:28 UnknownKey: range "a": unknown key "levl" in a range | did you mean "level"?',
  ],
  [
    "ranges: { a: { level: warn } }",
    'forwards.yaml:1:14 Empty: range "a": ports is missing | ports: 8080-8089',
  ],
])("%s is refused", (line, expected) => {
  expect(told(parseFiles(inFile(`${line}\nforwards: { a: "8080:svc/a:1" }\n`)))).toEqual([expected]);
});

test("a range may be only warned of, and its level is beaten by that of the rule", () => {
  const text =
    "ranges: { r: { ports: 9000-9001, level: warn } }\nforwards: { a: { target: a, port: 8080, range: r } }\n";
  expect(parseFiles(inFile(text))).toMatchObject({ kind: "valid", warnings: [{ rule: "out-of-range" }] });
  expect(parseFiles(inFile(`lint: { out-of-range: error }\n${text}`)).kind).toBe("invalid");
});
