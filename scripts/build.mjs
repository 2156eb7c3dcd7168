// Writes dist/: a thin CLI, the supervisor, the sandbox, the OIDC client that only some kubeconfigs need, and the library.
// Everything third-party is bundled, so that an installed kfwd has no dependencies and starts fast.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { relayProgram } from "./relayprogram.mjs";
import { libraryTypes } from "./types.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Programs that one bundle loads from another, at run time and only when it needs them. */
const ENTRIES = {
  cli: "src/main.ts",
  supervisor: "src/supervise.ts",
  sandbox: "src/sandbox/demo.ts",
  importers: "src/importers/index.ts",
  prompts: "src/commands/prompts.ts",
  browser: "src/commands/browser.ts",
  completionscripts: "src/commands/completionscripts.ts",
  survey: "src/survey.ts",
  kfwd: "src/library.ts",
  "openid-client": "openid-client",
};

/** An import of another bundle's entry stays an import, of the file next door. */
const siblings = {
  name: "siblings",
  setup({ onResolve }) {
    const next = (filter, name) =>
      onResolve({ filter }, ({ kind }) =>
        kind === "dynamic-import" ? { path: `./${name}.cjs`, external: true } : undefined,
      );
    next(/supervise\.ts$/, "supervisor");
    next(/sandbox\/demo\.ts$/, "sandbox");
    next(/importers\/index\.ts$/, "importers");
    next(/commands\/prompts\.ts$/, "prompts");
    next(/commands\/browser\.ts$/, "browser");
    next(/commands\/completionscripts\.ts$/, "completionscripts");
    next(/\/survey\.ts$/, "survey");
  },
};

/**
 * client-node's KubeConfig drags a whole HTTP client, 60 MB of generated API classes and proxy agents along, of which
 * credentials need nothing; the OIDC client is loaded when a kubeconfig asks for it.
 */
const leanClientNode = {
  name: "lean-client-node",
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /client-node[/\\]dist[/\\]gen[/\\]index\.js$/ }, () => ({
      contents: "export const createConfiguration = undefined; export class ServerConfiguration {}",
    }));
    onResolve({ filter: /^(undici|socks|socks-proxy-agent|hpagent)$/ }, ({ path }) => ({
      path,
      namespace: "unused",
    }));
    onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
    onResolve({ filter: /^openid-client$/ }, ({ kind, path }) =>
      kind === "entry-point" ? undefined : { path, namespace: "on-demand" },
    );
    onLoad({ filter: /.*/, namespace: "on-demand" }, ({ path }) => ({
      contents: `const load = () => require("./${path}.cjs");
        module.exports = {
          discovery: (...args) => load().discovery(...args),
          refreshTokenGrant: (...args) => load().refreshTokenGrant(...args),
          get customFetch() { return load().customFetch; },
        };`,
      loader: "js",
    }));
  },
};

/** The YAML parser prints its tokens on stdout when a variable of a common name is set: into the JSON of a script. */
const silentYaml = {
  name: "silent-yaml",
  setup({ onLoad }) {
    onLoad({ filter: /yaml[/\\]dist[/\\](compose[/\\]composer|parse[/\\]parser)\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(/node_process\.env\.LOG_(?:STREAM|TOKENS)/g, "false"),
    }));
  },
};

rmSync(join(root, "dist"), { recursive: true, force: true });
const relay = await relayProgram();
const inputs = new Set();
for (const [name, entry] of Object.entries(ENTRIES)) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(root, "dist", `${name}.cjs`),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    supported: { "dynamic-import": false }, // import() would start the ESM loader: 15 ms
    minify: name !== "kfwd", // an error that nobody catches is shown with the line that threw it
    keepNames: name === "kfwd",
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    define: {
      KFWD_VERSION: JSON.stringify(version),
      KFWD_RELAY: JSON.stringify(relay),
      "import.meta.url": "KFWD_HERE", // `open` looks beside itself for a script, which we do not ship
    },
    banner: {
      js: name === "browser" ? 'const KFWD_HERE = require("node:url").pathToFileURL(__filename).href;' : "",
    },
    external: ["./openid-client.cjs"],
    plugins: [siblings, leanClientNode, silentYaml],
  });
  for (const input of Object.keys(result.metafile.inputs)) inputs.add(input);
}
writeLibrary();
writeFileSync(join(root, "dist", "THIRD-PARTY-LICENSES.txt"), licences(inputs));

/** One program for `import` and `require`, so that a process has one of each class however it came by them. */
function writeLibrary() {
  const esm = 'import kfwd from "./kfwd.cjs";\n\nexport const { KfwdError, up } = kfwd;\n';
  writeFileSync(join(root, "dist", "kfwd.mjs"), esm);
  const types = libraryTypes();
  for (const name of ["kfwd.d.mts", "kfwd.d.cts"]) writeFileSync(join(root, "dist", name), types);
}

/** The licence of every package whose code went into a bundle. */
function licences(paths) {
  const packages = new Set();
  for (const path of paths) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (match) packages.add(match[1]);
  }
  return [...packages]
    .sort((a, b) => a.localeCompare(b))
    .map(licenceOf)
    .join("\n");
}

function licenceOf(folder) {
  const {
    name,
    version: packageVersion,
    license,
  } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const file =
    existsSync(join(root, folder)) && readdirSync(join(root, folder)).find((f) => /^licen[cs]e/i.test(f));
  const text = file ? readFileSync(join(root, folder, file), "utf8") : `License: ${license}\n`;
  return `${"=".repeat(80)}\n${name} ${packageVersion}\n${"-".repeat(80)}\n${text}`;
}
