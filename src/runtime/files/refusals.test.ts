import { expect, test } from "vitest";
import type { ForwardSpec } from "../../schema/spec.ts";
import { refuseMetadata } from "./refusals.ts";

function to(target: ForwardSpec["target"]): ForwardSpec {
  return {
    name: "it",
    target,
    remotePort: { via: "pod", port: 80 },
    local: 8080,
    bind: ["localhost"],
    protocol: "tcp",
    required: true,
    source: { file: "forwards.yaml", line: 4, column: 3 },
  };
}

const hintOf = (host: string): string => `\`--allow-metadata ${host}\``;
const metadata = to({ kind: "host", name: "169.254.169.254" });

test("a host where machines keep credentials is refused, with its place", () => {
  expect(() => refuseMetadata([to({ kind: "host", name: "db.example" }), metadata], [], hintOf)).toThrowError(
    expect.objectContaining({
      code: "METADATA_HOST",
      place: { file: "forwards.yaml", line: 4, column: 3 },
      hint: "`--allow-metadata 169.254.169.254` if that is what you want",
    }),
  );
});

test.each<[string, ForwardSpec, readonly string[]]>([
  ["one that is allowed by name", metadata, ["169.254.169.254"]],
  ["any other host", to({ kind: "host", name: "db.example" }), []],
  ["a Service of such a name", to({ kind: "svc", name: "metadata" }), []],
])("%s is not", (_name, spec, allowed) => {
  expect(() => refuseMetadata([spec], allowed, hintOf)).not.toThrow();
});

test("one host that is allowed allows no other", () => {
  expect(() => refuseMetadata([metadata], ["169.254.169.253"], hintOf)).toThrow("leads to");
});
