import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { within } from "../rig/client.ts";
import { installIn, nothingRuns } from "../rig/library.ts";
import { Project } from "../rig/project.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EXAMPLE = join(ROOT, "examples", "library");
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");
const PATIENCE_MS = 50_000;

/** The program that the README shows. */
async function readmeText(): Promise<string> {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const [, text] = /### As a library\n[^#]*?```ts\n(.*?)```/s.exec(readme) ?? [];
  if (text === undefined) throw new Error("the README shows no program");
  return text;
}

/** The package as it is published, in a project that has nothing but it and a compiler. */
describe("the package", () => {
  let consumer: Project;
  beforeAll(async () => {
    const packed = await mkdtemp(join(tmpdir(), "kfwd-pack-"));
    consumer = await Project.create();
    consumer.env["npm_config_cache"] = join(packed, "cache");
    try {
      const npm = async (cwd: string, ...args: string[]): Promise<string> => {
        const { status, stdout, stderr } = await within(
          consumer.exec("npm", args, { cwd }).ended,
          PATIENCE_MS,
        );
        if (status !== 0) throw new Error(`npm ${args.join(" ")}: ${stderr}`);
        return stdout;
      };
      const [{ filename }] = JSON.parse(await npm(ROOT, "pack", "--json", "--pack-destination", packed)) as [
        { filename: string },
      ];
      await consumer.write('{ "name": "consumer", "private": true, "type": "module" }', "package.json");
      await npm(consumer.folder, "install", "--offline", "--no-audit", "--no-fund", join(packed, filename));
    } finally {
      await rm(packed, { recursive: true });
    }
    const types = join(consumer.folder, "node_modules", "@types");
    await mkdir(types);
    await symlink(join(ROOT, "node_modules", "@types", "node"), join(types, "node"), "dir");
  });
  afterAll(() => consumer[Symbol.asyncDispose]());

  const STRICT = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    skipLibCheck: false, // ours are checked, too
    noEmit: true,
    target: "es2022",
    types: ["node"],
    moduleDetection: "force",
  };

  const USE = `
    import { KfwdError, up, type Forward, type ForwardStatus, type Forwards, type Stage, type UpOptions } from "kfwd";

    type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
    const same = <A, B>(_: Equal<A, B>): void => {};

    export async function use(): Promise<void> {
      await using given = await up({ names: ["api", "orders-db"], env: "staging", profiles: ["debug"], waitTimeout: "90s" });
      same<typeof given, Forwards<"api" | "orders-db">>(true);
      const port: number = given.api.port;
      const url: string = given["orders-db"].url;
      same<typeof given.api.name, "api">(true);
      same<typeof given.api.status, ForwardStatus>(true);
      // @ts-expect-error: it was not asked for
      given.db;
      for (const forward of given) same<typeof forward.name, "api" | "orders-db">(true);
      const events = given.$events({ limit: 10, signal: AbortSignal.timeout(port) });
      for await (const { name, status } of events) {
        same<typeof name, "api" | "orders-db">(true);
        const stage: Stage = status.state;
        console.log(url, stage, events.dropped);
      }

      const told = await up<"api" | "db">();
      same<typeof told.db, Forward<"db">>(true);
      const closed: AbortSignal = told.$closed;
      await told.$close();

      const options: UpOptions = { file: ["a.yaml", "b.yaml"], signal: closed, context: undefined };
      const any = await up(options);
      same<(typeof any)[string], Forward | undefined>(false);
      const found: Forward = any.$get("api");
      const perhaps = any["api"];
      console.log(found.host, perhaps?.port, (await any.$status()).schema satisfies "kfwd.status/1");
      await any[Symbol.asyncDispose]();

      // @ts-expect-error: a misspelt option
      await up({ name: ["api"] });
      try {
        await up();
      } catch (error) {
        if (error instanceof KfwdError) {
          const hint: string | undefined = error.hint;
          const exit: number = error.exit;
          console.log(error.code === "PORT_BUSY", hint, exit);
        }
      }
    }
  `;

  test.each([
    { name: "nodenext", file: "use.mts", options: { module: "nodenext", moduleResolution: "nodenext" } },
    {
      name: "nodenext, required",
      file: "use.cts",
      options: { module: "nodenext", moduleResolution: "nodenext" },
    },
    { name: "bundler", file: "use.ts", options: { module: "esnext", moduleResolution: "bundler" } },
  ])("has types that hold under $name", async ({ name, file, options }) => {
    const config = `${name.replaceAll(/\W/g, "")}.json`;
    await consumer.write(USE, file);
    await consumer.write(
      JSON.stringify({ compilerOptions: { ...STRICT, ...options }, files: [file] }),
      config,
    );
    const tsc = consumer.exec(process.execPath, [TSC, "-p", config]);
    const { status, stdout } = await within(tsc.ended, PATIENCE_MS);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  test("has types that hold for what is shown of it", async () => {
    await symlink(
      join(ROOT, "node_modules", "vitest"),
      join(consumer.folder, "node_modules", "vitest"),
      "dir",
    );
    await cp(join(EXAMPLE, "vitest"), join(consumer.folder, "example"), { recursive: true });
    await cp(join(EXAMPLE, "node-test"), join(consumer.folder, "example"), { recursive: true });
    await consumer.write(await readmeText(), "readme.mts");
    const options = { ...STRICT, module: "nodenext", skipLibCheck: true, checkJs: true };
    const config = { compilerOptions: options, include: ["example", "readme.mts"] };
    await consumer.write(JSON.stringify(config), "shown.json");
    const tsc = consumer.exec(process.execPath, [TSC, "-p", "shown.json"]);
    const { status, stdout } = await within(tsc.ended, PATIENCE_MS);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  test("is imported and required, and gives what its types say and nothing else", async () => {
    await consumer.write(
      `import * as imported from "kfwd";
      import { createRequire } from "node:module";
      const required = createRequire(import.meta.url)("kfwd");
      const names = (what) => Object.keys(what).filter((name) => name !== "default").sort();
      console.log(JSON.stringify([names(imported), names(required), imported.up === required.up]));
      await imported.up().catch((error) => console.log(error.code, error instanceof required.KfwdError));`,
      "use.mjs",
    );
    const { stdout, stderr } = await within(consumer.exec(process.execPath, ["use.mjs"]).ended);
    expect(stderr).toBe("");
    expect(stdout).toBe('[["KfwdError","up"],["KfwdError","up"],true]\nCONFIG_NOT_FOUND true\n');
    const types = await readFile(join(consumer.folder, "node_modules/kfwd/dist/kfwd.d.mts"), "utf8");
    const values = [...types.matchAll(/^export (?:declare (?:function|class|const) (\w+)|\{ (.*) \};)/gm)];
    expect(new Set(values.map(([, declared, listed]) => declared ?? listed))).toEqual(
      new Set(["KfwdError", "up"]),
    );
  });
});

test.each(["esm", "cjs"] as const)(
  "a bundle of format %s that took it in says what to do",
  async (format) => {
    await using project = await Project.create({ file: "forwards: {}" });
    await installIn(project);
    const outfile = join(project.folder, `bundle.${format === "esm" ? "mjs" : "cjs"}`);
    await project.write(
      'import { up } from "kfwd";\nup().catch(({ code, hint }) => console.log(code, hint));',
      "in.mjs",
    );
    const entryPoints = [join(project.folder, "in.mjs")];
    const banner =
      format === "esm"
        ? {
            js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
          }
        : {};
    await build({ entryPoints, outfile, bundle: true, platform: "node", format, banner, logLevel: "silent" });
    const { stdout } = await within(project.exec(process.execPath, [outfile]).ended);
    expect(stdout).toBe("USAGE leave kfwd out of the bundle, as an external package\n");
  },
);

describe.concurrent("what is shown of the library", () => {
  let world: SandboxWorld;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    world.sandbox.cluster.createNamespace("shop");
    await world.deploy("shop", "api");
    await world.statefulSet("shop", "postgres");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** A copy of the examples, in which they find kfwd and vitest. */
  async function copy(): Promise<Project> {
    const project = await Project.create({ kubeconfig: world.kubeconfig("admin") });
    await cp(EXAMPLE, project.folder, { recursive: true });
    await installIn(project);
    await symlink(
      join(ROOT, "node_modules", "vitest"),
      join(project.folder, "node_modules", "vitest"),
      "dir",
    );
    return project;
  }

  async function runs(project: Project, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await within(project.exec(process.execPath, args).ended, PATIENCE_MS);
    expect(status, stdout + stderr).toBe(0);
    await nothingRuns(project);
    return stdout;
  }

  test("runs in vitest", async () => {
    await using project = await copy();
    const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
    expect(await runs(project, vitest, "run", "--root", "vitest", "--no-color")).toMatch(/Tests\s+1 passed/);
  });

  test("runs in node:test", async () => {
    await using project = await copy();
    expect(await runs(project, "--test", "--test-reporter=tap", join("node-test", "api.test.mjs"))).toMatch(
      /^# fail 0$/m,
    );
  });

  test("runs as Playwright runs it", async () => {
    await using project = await copy();
    await project.write(
      `import globalSetup from "./playwright/global-setup.mjs";
      const teardown = await globalSetup({});
      console.log((await fetch(process.env.BASE_URL)).status);
      await teardown();`,
      "run.mjs",
    );
    expect(await runs(project, "run.mjs")).toBe("200\n");
  });

  test("runs as the README has it", async () => {
    await using project = await copy();
    const { code } = await transform(await readmeText(), { loader: "ts", target: "node20" });
    await writeFile(join(project.folder, "readme.mjs"), code);
    expect(await runs(project, "readme.mjs")).toMatch(/^200 \d+ \{\n? *API_HOST: '127\.0\.0\.1',/);
  });
});
