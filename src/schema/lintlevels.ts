/** `lint:` of the files, and what is told at the level it says. */
import { reportProblem } from "./field-check.ts";
import { isLintRule, LINT_LEVELS, LINT_RULES, type LintLevel, type LintRule } from "./lint-rules.ts";
import { quoted, shown } from "../printable.ts";
import { oneOf } from "./readers.ts";
import type { Finding, Report } from "./report.ts";
import { suggest } from "../suggest.ts";
import { isNothing, plainOf, spanOfValue, type TreeEntry } from "./tree.ts";

export type LintLevels = Readonly<Partial<Record<LintRule, LintLevel>>>;

/** The levels that the files say. */
export function readLintLevels(entry: TreeEntry | undefined, report: Report): LintLevels {
  if (entry === undefined || isNothing(entry.value)) return {};
  if (entry.value.kind !== "map") {
    const message = `lint must be a map of rules, got ${shown(plainOf(entry.value))}`;
    report.error({ code: "WrongType", message, hint: "lint: { privileged: off }", span: spanOfValue(entry) });
    return {};
  }
  const levels: Partial<Record<LintRule, LintLevel>> = {};
  for (const [rule, item] of entry.value.entries) {
    if (!isLintRule(rule)) {
      const known = Object.keys(LINT_RULES);
      const hint = suggest(rule, known) ?? `rules: ${known.join(", ")}`;
      report.error({
        code: "UnknownKey",
        message: `unknown rule ${quoted(rule)} in lint`,
        hint,
        span: item.key,
      });
      continue;
    }
    const plain = plainOf(item.value);
    const read = oneOf("its level", LINT_LEVELS)(plain === false ? "off" : plain, (problem) =>
      reportProblem(problem, item, `lint ${quoted(rule)}: `, report),
    );
    if (read !== undefined) levels[rule] = read;
  }
  return levels;
}

/** Tells findings of lints at the level that the files want. */
export class Linter {
  readonly #levels: LintLevels;
  readonly #report: Report;

  constructor(levels: LintLevels, report: Report) {
    this.#levels = levels;
    this.#report = report;
  }

  /** Whether anybody would be told of it: in a large file that has errors the words for all else take as long as the rest. */
  hears(rule: LintRule): boolean {
    const level = this.#levels[rule] ?? LINT_RULES[rule];
    return level === "error" || (level !== "off" && !this.#report.hasErrors);
  }

  /** `usual` takes the place of the rule's own level where the files say nothing. */
  tell(rule: LintRule, finding: Omit<Finding, "code" | "rule">, usual?: LintLevel): void {
    const level = this.#levels[rule] ?? usual ?? LINT_RULES[rule];
    const told = { ...finding, code: CODES[rule] ?? codeOf(rule), rule };
    if (level === "error") this.#report.error(told);
    else if (level === "warn") this.#report.warning(told);
    else if (level === "info") this.#report.info(told);
  }
}

/** Codes that are older than their rules. */
const CODES: Partial<Record<LintRule, string>> = {
  "bind-public": "PublicBind",
  privileged: "PrivilegedPort",
};

/** `OutOfRange` for `out-of-range` */
function codeOf(rule: LintRule): string {
  return rule.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
