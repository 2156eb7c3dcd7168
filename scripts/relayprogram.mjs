// The relay as one text, which the supervisor carries and puts into the spec of a relay pod.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Of the table of errors it needs nothing but a class to throw. */
const leanErrors = {
  name: "lean-errors",
  setup({ onLoad }) {
    onLoad({ filter: /src[/\\]errors\.ts$/ }, () => ({
      contents: "export class KfwdError extends Error { constructor(code, message) { super(message); } }",
    }));
  },
};

/** Bundles the relay for Node 20 and later. */
export async function relayProgram() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["src/relay/main.ts"],
    write: false,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    plugins: [leanErrors],
  });
  return outputFiles[0].text;
}
