/** Files of a project in memory, for tests of the language. */
import type { Choice, Facts } from "../../src/schema/assemble.ts";
import { formatDiagnostic } from "../../src/schema/diagnostic.ts";
import type { FileText } from "../../src/schema/layer.ts";
import { parseProject, type ParseResult } from "../../src/schema/parse.ts";
import type { ForwardSpec } from "../../src/schema/spec.ts";

export interface Given extends Choice {
  readonly vars?: Readonly<Record<string, string>>;
  readonly facts?: Facts;
}

/** Reads `forwards.yaml`, then `override*.yaml` in their order, then `forwards.local.yaml`; others may be included. */
export function parseFiles(texts: Readonly<Record<string, string>>, given: Given = {}): ParseResult {
  const fileOf = (name: string): FileText => {
    const folder = `/repo/${name.split("/").slice(0, -1).join("/")}`.replace(/\/$/, "");
    const get = (key: string) => {
      const value = given.vars?.[`${folder}:${key}`] ?? given.vars?.[key];
      return value === undefined ? undefined : ({ value, from: "process" } as const);
    };
    return {
      name,
      path: `/repo/${name}`,
      folder,
      home: "/home/ann",
      root: "/repo",
      text: texts[name] ?? "",
      variables: { get },
    };
  };
  const named = Object.keys(texts);
  const files = [
    { role: "base" as const, file: fileOf("forwards.yaml") },
    ...named
      .filter((name) => name.startsWith("override"))
      .map((name) => ({ role: "override" as const, file: fileOf(name) })),
    ...named
      .filter((name) => name === "forwards.local.yaml")
      .map((name) => ({ role: "local" as const, file: fileOf(name) })),
  ];
  const include = (path: string, from: FileText) => {
    const name = new URL(path, `file://${from.folder}/`).pathname.replace("/repo/", "");
    if (!Object.hasOwn(texts, name)) return { kind: "missing" } as const;
    return { kind: "file", file: fileOf(name) } as const;
  };
  return parseProject({ files, include }, given, given.facts);
}

/** The forwards that are on, by name. */
export function forwardsOf(result: ParseResult): Readonly<Record<string, ForwardSpec>> {
  if (result.kind === "invalid") throw new Error(shownAll(result).join("\n"));
  return Object.fromEntries(result.project.forwards.map((spec) => [spec.name, spec]));
}

/** Everything that is wrong, or else warned of, as users see it. */
export function shownAll(result: ParseResult): readonly string[] {
  const told = result.kind === "invalid" ? result.diagnostics : result.warnings;
  return told.map((one) => formatDiagnostic(one, result.texts));
}

/** The same as `file:line:column Code: message | hint`. */
export function told(result: ParseResult): readonly string[] {
  const found = result.kind === "invalid" ? result.diagnostics : result.warnings;
  return found.map(({ file, line, column, code, message, hint }) => {
    const advice = hint === undefined ? "" : ` | ${hint}`;
    return `${file}:${line}:${column} ${code}: ${message}${advice}`;
  });
}
