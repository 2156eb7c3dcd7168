import { expect, test } from "vitest";
import { annotationOf } from "./annotation.ts";

const FINDING = {
  severity: "error",
  code: "UnknownKey",
  message: 'unknown key "prot"',
  file: "forwards.yaml",
  line: 9,
  column: 5,
  endColumn: 9,
} as const;

test.each([
  [FINDING, '::error file=a/forwards.yaml,line=9,col=5,endColumn=9,title=UnknownKey::unknown key "prot"'],
  [
    { ...FINDING, severity: "warning", hint: "100 %" } as const,
    '::warning file=a/forwards.yaml,line=9,col=5,endColumn=9,title=UnknownKey::unknown key "prot"%0Ahint: 100 %25',
  ],
  [
    { ...FINDING, severity: "info", message: "x\n::set-output::" } as const,
    "::notice file=a/forwards.yaml,line=9,col=5,endColumn=9,title=UnknownKey::x\\u000a::set-output::",
  ],
])("%o", (finding, expected) => {
  expect(annotationOf(finding, "a/forwards.yaml")).toBe(expected);
});

test("a path cannot end its part of the command", () => {
  expect(annotationOf(FINDING, "a,b:c\n.yaml")).toContain("file=a%2Cb%3Ac%0A.yaml,line=9");
});
