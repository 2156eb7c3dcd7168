import { expect, test } from "vitest";
import { Linter } from "./lintlevels.ts";
import { Report } from "./report.ts";
import { makeSource } from "./source.ts";

const span = { source: makeSource("forwards.yaml", "a: 1\n"), start: 0, end: 1 };
const finding = (message: string) => ({ code: "Any", message, span });

test("beside errors nothing else is gathered, and lints that only warn need no words", () => {
  const report = new Report();
  const linter = new Linter({ ephemeral: "error", "bad-port": "off" }, report);
  const rules = ["privileged", "unquoted-compact", "ephemeral", "duplicate-local", "bad-port"] as const;
  const heard = () => rules.filter((rule) => linter.hears(rule));
  expect(heard()).toEqual(["privileged", "unquoted-compact", "ephemeral", "duplicate-local"]);
  report.warning(finding("before"));
  report.error(finding("wrong"));
  report.warning(finding("after"));
  report.info(finding("after"));
  expect(heard()).toEqual(["ephemeral", "duplicate-local"]);
  expect(report.warnings().diagnostics.map(({ message }) => message)).toEqual(["before"]);
  expect(report.infos()).toEqual({ diagnostics: [], more: 0 });
});
