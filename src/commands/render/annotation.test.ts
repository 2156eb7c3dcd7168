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
  [FINDING, '::error file=forwards.yaml,line=9,col=5::unknown key "prot"'],
  [
    { ...FINDING, severity: "warning", hint: "100 %" } as const,
    '::warning file=forwards.yaml,line=9,col=5::unknown key "prot" (100 %25)',
  ],
  [{ ...FINDING, severity: "info" } as const, '::notice file=forwards.yaml,line=9,col=5::unknown key "prot"'],
  [
    { ...FINDING, file: "a,b:c\n.yaml", message: "x\n::set-output::" },
    "::error file=a%2Cb%3Ac\\u000a.yaml,line=9,col=5::x\\u000a::set-output::",
  ],
])("%o", (finding, expected) => {
  expect(annotationOf(finding)).toBe(expected);
});
