import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { VARIABLES } from "./variables.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The sandbox and the relay are programs of their own, with environments that kfwd makes for them. */
const APART = [join("src", "sandbox"), join("src", "relay")];

/** Node reads them for us. */
const BY_NODE = ["NODE_EXTRA_CA_CERTS"];

/** Ways to read a variable: `env["NAME"]`, `env.NAME`, `const { NAME } = …env`, and names that end in _PROXY. */
const READS = [
  /\benv\[["'](\w+)["']\]/g,
  /\benv\.([A-Z][A-Z_0-9]*)\b/g,
  /["'](https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)["']/g,
];
const TAKEN_APART = /\{([^{}]*)\}\s*(?:=\s*[\w.]*\benv\b|\}\s*:\s*World)/g;

function sources(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => /\.(?:ts|js)$/.test(path) && !path.endsWith(".test.ts"))
    .filter((path) => !APART.some((apart) => path.startsWith(apart)));
}

function variablesIn(text: string): readonly string[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  const direct = READS.flatMap((pattern) => [...code.matchAll(pattern)].map(([, name = ""]) => name));
  const apart = [...code.matchAll(TAKEN_APART)].flatMap(([, names = ""]) => [
    ...names.matchAll(/\b([A-Z][A-Z_0-9]+)\b/g),
  ]);
  return [...direct, ...apart.map(([, name = ""]) => name)];
}

test("the help has every variable that is read, and no other", () => {
  const read = ["src", "bin"]
    .flatMap(sources)
    .flatMap((path) => variablesIn(readFileSync(join(ROOT, path), "utf8")));
  const told = VARIABLES.flatMap(([, rows]) => rows.flatMap(([names]) => names));
  expect([...told].sort()).toEqual([...new Set([...read, ...BY_NODE])].sort());
});

test("every way of reading is seen", () => {
  const text =
    'a(env["A_B"]); process.env.C_D; const { E_F: x, G = "" } = sources.env;\nf({ env: { SHELL: p } }: World)\n// env["NOT"]';
  expect(variablesIn(text)).toEqual(["A_B", "C_D", "E_F", "SHELL"]);
});
