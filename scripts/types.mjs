// The declarations of the library in one file: those of src/library/api.ts, and of what they speak of.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** An import or re-export of another file, whatever stands between its braces. */
const LINK = /^(import|export)( type)? \{([^}]*)\} from "(\.[^"]+)";\n/gm;

/** The text of dist/kfwd.d.mts, which serves as kfwd.d.cts as well. */
export function libraryTypes() {
  const folder = mkdtempSync(join(tmpdir(), "kfwd-types-"));
  try {
    emit(folder);
    return joined(join(folder, "library", "api.d.ts"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emit(outDir) {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  const project = join(root, "scripts", "tsconfig.types.json");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", project, "--outDir", outDir], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot write the library's declarations:\n${stdout}${stderr}`);
}

/** Only what the API exports is seen from outside; the rest is there to be spoken of. */
function joined(api) {
  const values = [];
  const types = [];
  const bodies = new Map();
  const visit = (path) => {
    if (bodies.has(path)) return;
    bodies.set(path, "");
    const text = readFileSync(path, "utf8");
    for (const [, kind, onlyTypes, names, to] of text.matchAll(LINK)) {
      visit(join(dirname(path), to.replace(/\.ts$/, ".d.ts")));
      const list = names.split(",").map((name) => name.trim());
      if (path === api && kind === "export") (onlyTypes ? types : values).push(...list.filter(Boolean));
    }
    const body = text.replaceAll(LINK, "");
    const left = /^(?:import|export) .*from ".*$/m.exec(body);
    if (left) throw new Error(`${path}: cannot be put into one file: ${left[0]}`);
    bodies.set(path, path === api ? body : hidden(body));
  };
  visit(api);
  const text = [...bodies.values()].toReversed().join("\n");
  refuseTwice(text);
  const head = '/// <reference lib="esnext.disposable" />\n';
  return `${head}${text}export { ${values.join(", ")} };\nexport type { ${types.join(", ")} };\n`;
}

function hidden(body) {
  return body.replaceAll(/^export \{\};\n/gm, "").replaceAll(/^export (?:declare )?(?=\w)/gm, "declare ");
}

/** Two files may each have a thing of one name, one file may not. */
function refuseTwice(text) {
  const seen = new Set();
  for (const [, name] of text.matchAll(
    /^(?:export |declare )+(?:class|const|interface|type|function) (\w+)/gm,
  )) {
    if (seen.has(name)) throw new Error(`the library's declarations have two things called ${name}`);
    seen.add(name);
  }
}
