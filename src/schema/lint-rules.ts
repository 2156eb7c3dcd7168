/** The lints: their names in `lint:`, and how grave each is unless the file says otherwise. */

export const LINT_LEVELS = ["off", "warn", "error"] as const;
export type LintLevel = (typeof LINT_LEVELS)[number];

/** `info` is said by `check` alone. The level of `out-of-range` is that of the range. */
export const LINT_RULES = {
  "duplicate-local": "error",
  "out-of-range": "error",
  privileged: "warn",
  ephemeral: "warn",
  "macos-airplay": "warn",
  "bad-port": "warn",
  "bind-public": "warn",
  "compose-clash": "warn",
  "protected-context": "warn",
  "relay-unpinned": "warn",
  "metadata-host": "warn",
  "range-overlap": "warn",
  "unused-range": "warn",
  "unused-profile": "warn",
  "env-name-clash": "error",
  "local-file-tracked": "warn",
  "entry-shadows-include": "warn",
  "unquoted-compact": "info",
} as const satisfies Record<string, LintLevel | "info">;

/** The name of a lint, as `lint:` has it. */
export type LintRule = keyof typeof LINT_RULES;

export function isLintRule(name: string): name is LintRule {
  return Object.hasOwn(LINT_RULES, name);
}
