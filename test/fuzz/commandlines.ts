/** Command lines by grammar: of the program's own commands and flags, mostly right, with anything as values. */
import type { Argument, Command, Option } from "commander";
import fc from "fast-check";

const NAMES = [
  "api",
  "db",
  "web",
  "d*",
  "*",
  "api:",
  "API",
  "apii",
  "shop",
  "shop@dev",
  "dev",
  "staging",
  "data",
];
const FILES = [
  "forwards.yaml",
  "broken.yaml",
  "other.yaml",
  "kftray.json",
  ".",
  "..",
  "/",
  "/dev/null",
  "gone.yaml",
  "-",
  "~",
  "new.yaml",
  "sub/none.yaml",
];
const AMOUNTS = [
  "0",
  "1",
  "-1",
  "1.5",
  "9999999999999999999",
  "10s",
  "1h30m",
  "9999h",
  "0ms",
  "5x",
  "2026-11-21T10:02",
  "all",
  "NaN",
  "1e3",
];
const PLACES = [
  "sandbox",
  "kind-dev",
  "default",
  "kube-system",
  "Bad_NS",
  "auto",
  "always",
  "json",
  "wide",
  "yaml",
  "ready",
  "down",
  "bash",
  "github",
  "debug",
];
const JUNK = [
  "",
  " ",
  "--",
  "-",
  "---",
  "-é",
  "=",
  "--=x",
  "-0",
  "$(touch pwned)",
  "`touch pwned`",
  "; touch pwned",
  "'",
  '"',
  "\\",
  "a\nb",
  "a\tb",
  "\u001b[31m",
  "\u202e",
  "\u{1f680}",
  "%s%n",
  "../../x",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "[object Object]",
  "{}",
  "a".repeat(300),
  "é".repeat(70),
  "x/y:z@w",
  "http://[::1",
  "*".repeat(40),
  "--help",
  "--json",
];

/** Programs that `run` may start: none of them does anything. */
const PROGRAMS = [
  ["true"],
  ["false"],
  ["sh", "-c", "exit 3"],
  ["sh", "-c", "kill -TERM $$"],
  ["no-such-program"],
  ["/"],
  [""],
];

const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 3, arbitrary: fc.constantFrom(...FILES) },
  { weight: 3, arbitrary: fc.constantFrom(...AMOUNTS) },
  { weight: 3, arbitrary: fc.constantFrom(...PLACES) },
  { weight: 2, arbitrary: fc.constantFrom(...JUNK) },
  // An argument of a program has no NUL, and no half of a character.
  {
    weight: 1,
    arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replaceAll("\0", "")),
  },
);

/** What would be right, by the option that it is for. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  "--file": ["forwards.yaml", "other.yaml"],
  "--env": ["dev", "staging"],
  "--project": ["shop", "other"],
  "--profile": ["data"],
  "--context": ["sandbox"],
  "--allow-context": ["sandbox"],
  "--namespace": ["shop-1"],
  "--dotenv": [".env"],
  "--kubeconfig": ["../config"],
  "--timeout": ["0s", "100ms"],
  "--wait-timeout": ["100ms", "1s"],
  "--since": ["1h"],
  "--until": ["1ms"],
  "--tail": ["5"],
};
/** And by the name of the argument. */
const RIGHT_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  name: ["api", "db"],
  source: ["kftray.json"],
  topic: ["up", "exit-codes", "environment", "file"],
};

/** What one run is given. */
export interface CommandLine {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const env = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom(
        "KFWD_FILE",
        "KFWD_ENV",
        "KFWD_PROJECT",
        "KFWD_PROFILES",
        "KFWD_TRUST",
        "NO_COLOR",
        "FORCE_COLOR",
        "CI",
        "GITHUB_ACTIONS",
        "SHELL",
        "KUBECONFIG",
        "HTTPS_PROXY",
      ),
      value,
      { maxKeys: 2 },
    ),
  },
);

/** Lines for the commands of `program`; those in `rare` are rarer. */
export function commandLines(program: Command, rare: readonly string[]): fc.Arbitrary<CommandLine> {
  const known = program.commands.map((command) => ({
    weight: rare.includes(command.name()) ? 5 : 20,
    arbitrary: lineOf(command),
  }));
  const junk = fc.array(value, { maxLength: 4 });
  const args = fc.oneof(
    { weight: 25, arbitrary: fc.oneof(...known) },
    { weight: 1, arbitrary: junk },
    // Something runs most of the time.
    { weight: 2, arbitrary: fc.constant(["up", "-d"]) },
    // A word in front, as people try with options.
    { weight: 1, arbitrary: fc.tuple(value, fc.oneof(...known)).map(([first, line]) => [first, ...line]) },
  );
  return fc.record({ args, env });
}

function lineOf(command: Command): fc.Arbitrary<readonly string[]> {
  if (command.commands.length > 0) {
    const below = command.commands.map(lineOf);
    const others = fc.array(value, { maxLength: 2 });
    return fc.oneof(...below, others).map((line) => [command.name(), ...line]);
  }
  const name = fc.constantFrom(command.name(), ...command.aliases());
  const flags = fc.array(flagOf(command.options), { maxLength: 2 });
  const operands = fc.oneof(
    { weight: 9, arbitrary: operandsOf(command.registeredArguments) },
    { weight: 1, arbitrary: fc.array(value, { maxLength: 3 }) },
  );
  const behind = fc.oneof(
    { weight: command.name() === "run" ? 1 : 20, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constantFrom(...PROGRAMS).map((words) => ["--", ...words]) },
  );
  return fc
    .tuple(
      name,
      fc.array(
        fc.oneof(
          flags.map((all) => all.flat()),
          operands,
        ),
        { minLength: 1, maxLength: 2 },
      ),
      behind,
    )
    .map(([first, middle, last]) => [first, ...middle.flat(), ...last]);
}

function flagOf(options: readonly Option[]): fc.Arbitrary<readonly string[]> {
  const wrong = value.map((text) => [`--${text}`]);
  if (options.length === 0) return wrong;
  return fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...options).chain(given) },
    { weight: 1, arbitrary: wrong },
    { weight: 1, arbitrary: fc.constantFrom(...options).map(({ long }) => [mistyped(long ?? "--x")]) },
  );
}

function given({ long, short, required, optional, argChoices }: Option): fc.Arbitrary<readonly string[]> {
  const flag = fc.constantFrom(...[long, short].filter((name) => name !== undefined));
  if (!required && !optional) return flag.map((name) => [name]);
  const right = argChoices ?? RIGHT[long ?? ""] ?? [];
  const fit = fc.oneof(
    { weight: right.length > 0 ? 3 : 0, arbitrary: fc.constantFrom(...(right.length > 0 ? right : [""])) },
    { weight: 1, arbitrary: value },
  );
  return fc.oneof(
    { weight: 12, arbitrary: fc.tuple(flag, fit).map(([name, text]) => [name, text]) },
    { weight: 3, arbitrary: fit.map((text) => [`${long ?? short}=${text}`]) },
    { weight: 1, arbitrary: flag.map((name) => [name]) },
  );
}

function operandsOf(known: readonly Argument[]): fc.Arbitrary<readonly string[]> {
  const each = known.map((argument) => {
    const { argChoices, variadic } = argument;
    const right = argChoices ?? RIGHT_ARGUMENTS[argument.name()] ?? [""];
    const one = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...right) },
      { weight: 1, arbitrary: value },
    );
    return fc.array(one, { maxLength: variadic ? 3 : 1 });
  });
  return fc.tuple(...each).map((words) => words.flat());
}

/** Two letters in the wrong order. */
function mistyped(flag: string): string {
  return flag.replace(/^(--?.)(.)(.)/, "$1$3$2");
}
