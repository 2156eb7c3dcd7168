/** Files of a project by grammar: nearly right, so that they reach the deep places of the language. */
import fc from "fast-check";
import { parseFiles, type Given } from "../fakes/projectfiles.ts";
import { visible } from "../../src/printable.ts";
import { formatDiagnostics } from "../../src/schema/diagnostic.ts";

/** On a machine that does nothing else, a file takes some milliseconds. */
export const LIMIT_MS = 1_000;

const NAMES = ["api", "db", "web", "kafka", "x-a", "__proto__", "constructor", "A", "", "a".repeat(60)];
const WORDS = [
  "8080",
  "5432",
  "0",
  "-1",
  "65536",
  "auto",
  "http",
  "8080:svc/api:http",
  "9092:kafka",
  "53/udp",
  "svc/api",
  "ns/sts/db",
  "host/10.0.0.1",
  "host/169.254.169.254",
  "localhost",
  "all",
  "docker",
  "0.0.0.0",
  "::1",
  "10s",
  "1h30m",
  "0ms",
  "tcp",
  "udp",
  "$A",
  "${A}",
  "${GONE}",
  "${GONE:-x}",
  "${A:-${B}}",
  "${",
  "$$",
  "{host}:{port}",
  "{nope}",
  "relay",
  "hold",
  "ttl",
  "refuse",
  "sticky",
  "*prod*",
  "8080-8089",
  "9-1",
  "dev",
  "staging",
  "debug",
  "f.yaml",
  "../f.yaml",
  "forwards.yaml",
  "pkg:a/b",
  "~/k",
  "../../k",
  ">=0.1",
  "error",
  "off",
  "@sha256:",
  "\u001b[31m",
  "\u202e",
  "null",
  "~",
  "true",
  "",
  " ",
  "'",
  '"',
  "%",
  "a".repeat(300),
];
const FIELDS = [
  "target",
  "port",
  "targetPort",
  "ports",
  "local",
  "bind",
  "protocol",
  "required",
  "description",
  "url",
  "env",
  "range",
  "profiles",
  "enabled",
  "probe",
  "retry",
  "hold",
  "ttl",
  "whenUnavailable",
  "pick",
  "via",
  "hosts",
  "labels",
  "context",
  "namespace",
  "kubeconfig",
  "followContext",
  "relay",
  "type",
  "interval",
  "status",
  "initial",
  "max",
  "image",
  "tolerations",
  "ttl",
  "idle",
  "share",
  "create",
  "patch",
  "spec",
  "containers",
  "container",
  "selector",
  "kind",
  "name",
  "match",
  "level",
  "path",
  "prefix",
  "only",
  "optional",
  "prot",
  "localPort",
  "x-note",
  "<<",
];
const TOPS = [
  "version",
  "name",
  "include",
  "defaults",
  "ranges",
  "forwards",
  "environments",
  "defaultEnvironment",
  "protect",
  "lint",
  "requires",
  "portOffset",
  "services",
];

const scalar = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 2, arbitrary: fc.constantFrom(1, 80, 8080, 99_999, -1, 1.5, true, false, null) },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);
const value = fc.letrec<{ value: unknown; map: unknown; list: unknown }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar, tie("map"), tie("list")),
  map: fc.dictionary(fc.constantFrom(...FIELDS, ...NAMES), tie("value"), { maxKeys: 6 }),
  list: fc.array(tie("value"), { maxLength: 4 }),
}));

const entry = fc.oneof(
  fc.constantFrom("8080:svc/api:http", "auto:sts/db:5432", "5353:ns/svc/dns:53/udp", "[::1]:1:x"),
  fc.record(
    {
      target: fc.constantFrom("svc/api", "sts/db", "host/10.0.0.1", "api"),
      port: fc.oneof(fc.constantFrom(80, 5432, "http", "$A"), value.value),
      local: fc.constantFrom(8080, 8081, "auto", "$A", 70_000),
      range: fc.constantFrom("apis", "gone"),
      profiles: fc.constantFrom(["debug"], "debug", null),
      env: fc.constantFrom({ URL: "{url}" }, { url: 1 }),
    },
    { requiredKeys: ["target"] },
  ),
  value.value,
);
const forwards = fc.dictionary(fc.constantFrom(...NAMES), entry, { maxKeys: 6 });
const environment = fc.record(
  {
    context: scalar,
    portOffset: fc.constantFrom(0, 100, 60_000, "x"),
    defaults: value.map,
    forwards,
    profiles: scalar,
  },
  { requiredKeys: [] },
);
const file = fc.oneof(
  fc.record(
    {
      include: fc.oneof(
        fc.constantFrom("f.yaml", ["f.yaml"], [{ path: "f.yaml", prefix: "p-" }], "forwards.yaml"),
        value.value,
      ),
      defaults: value.map,
      ranges: fc.oneof(fc.constant({ apis: "8080-8089" }), value.map),
      forwards,
      environments: fc.dictionary(fc.constantFrom("dev", "staging", "A"), environment, { maxKeys: 2 }),
      defaultEnvironment: fc.constantFrom("dev", "$A"),
      protect: fc.constantFrom(["*"], "a", 1),
      lint: fc.constantFrom({ privileged: "off" }, { "unused-range": "error" }, []),
      relay: value.value,
    },
    { requiredKeys: ["forwards"] },
  ),
  fc.dictionary(fc.constantFrom(...TOPS), value.value, { maxKeys: 5 }),
);

/** YAML of a value: JSON, or in blocks, sometimes bent. */
const text = fc
  .tuple(
    file,
    fc.boolean(),
    fc.option(fc.tuple(fc.nat(), fc.constantFrom("\t", ":", "- ", "{", '"', "&a ", "!x ", "\n", "#")), {
      freq: 8,
    }),
  )
  .map(([content, isBlock, bend]) => {
    const yaml = isBlock ? block(content, 0) : JSON.stringify(content, null, 1);
    if (bend === null) return yaml;
    const at = bend[0] % (yaml.length + 1);
    return yaml.slice(0, at) + bend[1] + yaml.slice(at);
  });

function block(part: unknown, depth: number): string {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return ` ${JSON.stringify(part)}\n`;
  const lines = Object.entries(part).map(
    ([key, below]) => `${"  ".repeat(depth)}${JSON.stringify(key)}:${block(below, depth + 1)}`,
  );
  return lines.length === 0 ? " {}\n" : `${depth === 0 ? "" : "\n"}${lines.join("")}`;
}

const given: fc.Arbitrary<Given> = fc.record(
  {
    environment: fc.constantFrom("dev", "staging", "gone"),
    profiles: fc.constantFrom(["debug"], ["gone"]),
    vars: fc.constantFrom({ A: "8080" }, { A: "", B: "x" }, { A: "dev" }),
  },
  { requiredKeys: [] },
);

/** A project of one to three files. */
export interface Input {
  readonly files: Readonly<Record<string, string>>;
  readonly given: Given;
}

export const project: fc.Arbitrary<Input> = fc.record({
  files: fc
    .record(
      { "forwards.yaml": text, "f.yaml": text, "forwards.local.yaml": text },
      { requiredKeys: ["forwards.yaml"] },
    )
    .map((files) => ({ ...files })),
  given,
});

/** @throws when there is no answer, one that cannot be shown, or one that took too long. */
export function answers({ files, given: choice }: Input, limitMs: number): void {
  const start = process.cpuUsage(); // others may be at work on this machine
  const result = parseFiles(files, choice);
  const { user, system } = process.cpuUsage(start);
  const took = (user + system) / 1000;
  if (took > limitMs) throw new Error(`it took ${Math.round(took)} ms`);
  const told = result.kind === "invalid" ? result.diagnostics : [...result.warnings, ...result.notes];
  if (result.kind === "invalid" && told.length === 0) throw new Error("refused without a reason");
  for (const { file, line, column, endColumn } of told) {
    const lines = result.texts.get(file)?.split("\n");
    const width = lines?.[line - 1]?.length ?? -1;
    if (column > width + 1 || endColumn <= column)
      throw new Error(`no such place: ${file}:${line}:${column}`);
  }
  const shown = formatDiagnostics(told, result.more, result.texts);
  if (shown.split("\n").some((line) => visible(line) !== line)) throw new Error("what is shown is not safe");
  if (result.kind === "invalid") return;
  const { forwards: specs } = result.project;
  if (JSON.stringify(JSON.parse(JSON.stringify(specs))) !== JSON.stringify(specs))
    throw new Error("no plain data");
  for (const { local, name } of specs) {
    if (local !== "auto" && !(local >= 1 && local <= 65_535)) throw new Error(`${name} has port ${local}`);
  }
}
