import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp } from "../behaviour/stage.ts";
import { Project } from "../rig/project.ts";

const SHOP = `name: shop
namespace: shop
forwards:
  api: "8080:svc/api:http"
  db: { target: sts/postgres, port: 5432, description: Orders database }
  any: "auto:svc/any:80"
`;

const inUnset = (column: number): object => ({ file: "unset.yaml", line: 1, column });

/** Needs no cluster and no kubeconfig: there is none. */
describe.concurrent("without a cluster", () => {
  let project: Project;
  beforeAll(async () => {
    project = await Project.create({ file: SHOP });
    await project.write("forwards: { a: { target: svc/a, prot: 1 } }\n", "broken.yaml");
    await project.write(SHOP.replace("port: 5432", "port: 5432, bind: 0.0.0.0"), "public.yaml");
    await project.write('forwards: { api: "8080:svc/api:80" }\n', "static.yaml");
    await project.write(
      'forwards: { api: "${API_PORT}:svc/api:80", db: "${DB_PORT:-5432}:${DB_KIND}/db:5432" }\n',
      "unset.yaml",
    );
    await project.write('forwards: { api: { target: "svc/$API", prot: 80 } }\n', "unsetbroken.yaml");
    await project.write(
      'protect: ["*"]\nforwards: { db: { target: host/db.internal, port: 5432, context: prod } }\n',
      "guarded.yaml",
    );
    await project.write(
      JSON.stringify({
        "current-context": "a",
        contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
        clusters: [{ name: "a", cluster: { server: "https://127.0.0.1:1" } }],
        users: [
          { name: "a", user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "./no" } } },
        ],
      }),
      "plugin.kubeconfig",
    );
    await project.write(
      'kubeconfig: plugin.kubeconfig\nforwards: { api: "8080:svc/api:80" }\n',
      "plugin.yaml",
    );
    await project.write(
      "forwards: { api: { target: svc/api, port: 8080, env: { PROMPT_COMMAND: touch pwned } } }\n",
      "obeyed.yaml",
    );
  });
  afterAll(() => project[Symbol.asyncDispose]());

  test.each([
    [["check"], 0, "", "forwards.yaml: 3 forwards, nothing wrong\n"],
    [["check", "-q"], 0, "", ""],
    [["config", "--names"], 0, "api\ndb\nany\n", ""],
    [["config", "-q"], 0, expect.stringContaining("forwards:\n  api:\n"), ""],
    [["port", "api", "--static"], 0, "127.0.0.1:8080\n", ""],
    [["url", "api", "--static"], 0, "http://localhost:8080\n", ""],
    [
      ["env", "api", "--shell", "bash"],
      0,
      "export API_HOST='127.0.0.1'\nexport API_PORT='8080'\nexport API_URL='http://localhost:8080'\n",
      "",
    ],
    [["env", "db", "--shell", "dotenv"], 0, "DB_HOST=127.0.0.1\nDB_PORT=5432\n", ""],
    [["env", "db", "--shell", "github"], 0, "DB_HOST=127.0.0.1\nDB_PORT=5432\n", ""],
    [["env", "db", "--shell", "fish"], 0, "set -gx DB_HOST '127.0.0.1'\nset -gx DB_PORT '5432'\n", ""],
    [["env", "db", "--shell", "pwsh"], 0, "$env:DB_HOST = '127.0.0.1'\n$env:DB_PORT = '5432'\n", ""],
    [["env", "-f", "static.yaml"], 0, "export API_HOST='127.0.0.1'\nexport API_PORT='8080'\n", ""],
    // not right
    [["check", "-f", "missing.yaml"], 2, "", expect.stringContaining("there is no file")],
    [
      ["check", "-f", "broken.yaml"],
      2,
      "",
      expect.stringMatching(/^error: unknown key "prot" in forward "a"\n[\s\S]+\n\nbroken\.yaml: 1 error\n$/),
    ],
    [
      ["check", "-f", "public.yaml"],
      0,
      "",
      expect.stringMatching(/^warning: [\s\S]+\n\npublic\.yaml: 3 forwards, 1 warning\n$/),
    ],
    [["check", "--strict", "-f", "public.yaml"], 2, "", expect.stringMatching(/^warning: /)],
    [
      ["config", "-f", "unset.yaml", "--variables"],
      0,
      "VARIABLE  FROM               USED AT\n" +
        "API_PORT  not set, required  unset.yaml:1:19\n" +
        'DB_PORT   default "5432"     unset.yaml:1:49\n' +
        "DB_KIND   not set, required  unset.yaml:1:66\n",
      "",
    ],
    [["config", "-f", "unset.yaml"], 2, "", expect.stringContaining("variable API_PORT is not set")],
    [["config", "-f", "unsetbroken.yaml", "--variables"], 2, "", expect.stringContaining("unknown key")],
    [["config", "-f", "broken.yaml"], 2, "", expect.stringContaining("unknown key")],
    [["env", "-f", "broken.yaml"], 2, "", expect.stringContaining("unknown key")],
    [["port", "api"], 3, "", "error: nothing is running for project shop\nhint: kfwd up\n"],
    [["url", "api"], 3, "", "error: nothing is running for project shop\nhint: kfwd up\n"],
    [
      ["port", "any", "--static"],
      3,
      "",
      expect.stringMatching(
        /^error: forward "any" has no port in the file: local is auto\n {2}forwards\.yaml:6:/,
      ),
    ],
    [
      ["env"],
      3,
      "",
      'error: nothing is running for project shop, and forward "any" gets its local port (auto) only when it runs\nhint: kfwd up -d\n',
    ],
    [
      ["port", "apii"],
      2,
      "",
      'error: no forward named "apii"\nhint: did you mean "api"? known: api, db, any\n',
    ],
    [
      ["env", "apii"],
      2,
      "",
      'error: no forward named "apii"\nhint: did you mean "api"? known: api, db, any\n',
    ],
    [
      ["url", "db", "--static"],
      2,
      "",
      'error: forward "db" has no url\n  forwards.yaml:5:3\nhint: give it one: url: "http://{host}:{port}/"\n',
    ],
  ])("%j exits %d", async (args, status, stdout, stderr) => {
    expect(await project.run(...args)).toEqual({ status, signal: null, stdout, stderr });
  });

  test.each([
    [["env", "-f", "guarded.yaml"], 0, "export DB_HOST='127.0.0.1'\nexport DB_PORT='5432'\n", ""],
    [["port", "db", "--static", "-f", "guarded.yaml"], 0, "127.0.0.1:5432\n", ""],
    [["port", "api", "--static", "-f", "obeyed.yaml"], 0, "127.0.0.1:8080\n", ""],
    [["check", "-f", "plugin.yaml"], 0, "", "plugin.yaml: 1 forward, nothing wrong\n"],
    [
      ["prune", "--yes", "-f", "plugin.yaml"],
      2,
      "",
      expect.stringContaining('forward "api" uses a kubeconfig that is not your own'),
    ],
    [
      ["check", "--cluster", "-f", "plugin.yaml"],
      2,
      "",
      expect.stringContaining('forward "api" uses a kubeconfig that is not your own'),
    ],
    [
      ["env", "-f", "obeyed.yaml"],
      2,
      "",
      expect.stringContaining('forward "api" sets PROMPT_COMMAND, which other programs obey'),
    ],
  ])("of a file that nobody allowed, %j exits %d", async (args, status, stdout, stderr) => {
    const env = { KFWD_TRUST: undefined, XDG_DATA_HOME: `${project.root}/data` };
    expect(await project.start(args, { env }).ended).toEqual({ status, signal: null, stdout, stderr });
  });

  test.each([
    [["check", "-f", "-"], "error: the file is larger than 256 KiB\n  <stdin>:1:1\n"],
    [["import", "-"], "error: standard input is not smaller than 4 MiB\n"],
  ])("standard input of %j may have no end", async (args, stderr) => {
    const running = project.start(args, { stdin: "\n".repeat(5_000_000) });
    expect(await running.ended).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(stderr) as string,
    });
  });

  test("standard input can be one file alone", async () => {
    const { status, stderr } = await project.start(["check", "-f", "-", "-f", "-"], { stdin: SHOP }).ended;
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: "error: standard input is named twice, and can be read once\nhint: -f - -f PATH\n",
    });
  });

  test.each([
    [
      ["check"],
      {
        schema: "kfwd.check/1",
        file: "forwards.yaml",
        ok: true,
        findings: [],
        more: 0,
        gainByRelay: [],
      },
    ],
    [
      ["port", "db", "--static"],
      { schema: "kfwd.port/1", name: "db", host: "127.0.0.1", port: 5432, protocol: "tcp" },
    ],
    [["url", "api", "--static"], { schema: "kfwd.url/1", name: "api", url: "http://localhost:8080" }],
    [["env", "db"], { schema: "kfwd.env/1", variables: { DB_HOST: "127.0.0.1", DB_PORT: "5432" } }],
    [["config", "--names"], { schema: "kfwd.config/1", names: ["api", "db", "any"] }],
    [
      ["config", "-f", "unset.yaml", "--variables"],
      {
        schema: "kfwd.config/1",
        variables: [
          { name: "API_PORT", required: true, value: null, places: [inUnset(19)] },
          { name: "DB_PORT", default: "5432", required: false, value: null, places: [inUnset(49)] },
          { name: "DB_KIND", required: true, value: null, places: [inUnset(66)] },
        ],
      },
    ],
  ])("%j --json is one document", async (args, document) => {
    const { status, stdout, stderr } = await project.run(...args, "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual(document);
  });

  test("check --json has every finding with its place, on stdout, and exits 2", async () => {
    const { status, stdout, stderr } = await project.run("check", "--json", "-f", "broken.yaml");
    expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      findings: [{ severity: "error", code: "KFWD_UNKNOWN_KEY", file: "broken.yaml", line: 1, column: 33 }],
    });
  });

  test("the name of a file cannot steer the terminal", async () => {
    const name = "\u001b[2Jforwards.yaml";
    await project.write('forwards: { api: "8080:svc/api:80" }\n', name);
    const run = (command: string) => {
      const env = { XDG_DATA_HOME: `${project.root}/data` };
      return project.start([command, "-f", name], { env }).ended;
    };
    expect((await run("check")).stderr).toContain(String.raw`\u001b[2Jforwards.yaml: 1 forward`);
    expect((await run("allow")).stderr).toContain(
      String.raw`allowed \u001b[2Jforwards.yaml, until it changes`,
    );
  });

  test("check --all looks at every environment, and says of each once what is wrong in it", async () => {
    const text = `forwards: { api: "8080:svc/api:http" }
defaultEnvironment: dev
environments:
  dev: { context: kind }
  staging: { context: gke, portOffset: -1 }
  qa: { context: gke, namespace: qa }
`;
    await using own = await Project.create({ file: text });
    expect(await own.run("check")).toMatchObject({ status: 0 });
    const { status, stderr } = await own.run("check", "--all");
    expect(status).toBe(2);
    expect(stderr.split("\n").filter((line) => line.startsWith("forwards.yaml"))).toEqual([
      "forwards.yaml: 1 forward, nothing wrong",
      "forwards.yaml (environment staging): 1 error",
      "forwards.yaml (environment qa): 1 forward, nothing wrong",
    ]);
    expect(stderr).toContain("portOffset must be");
    expect(await own.run("check", "--all", "-e", "qa")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--all cannot go with -e") as string,
    });
  });

  test("in a job of GitHub Actions each finding is an annotation of its line, seen from the repository's root", async () => {
    const env = { GITHUB_ACTIONS: "true", GITHUB_WORKSPACE: project.root };
    await project.write('forwards: { a: { target: svc/a, "p,r:o%t": 1 } }\n', "odd, name.yaml");
    const { status, stderr } = await project.start(["check", "-f", "odd, name.yaml"], { env }).ended;
    expect(status).toBe(2);
    expect(stderr).toContain(
      '::error file=shop/odd%2C name.yaml,line=1,col=33,endColumn=42,title=UnknownKey::unknown key "p,r:o%25t" in forward "a"',
    );
    expect((await project.run("check", "-f", "broken.yaml")).stderr).not.toContain("::");
  });

  test("a shell is chosen by $SHELL; one that cannot be written for is refused", async () => {
    const of = (shell: string) => project.start(["env", "db"], { env: { SHELL: shell } }).ended;
    expect((await of("/usr/bin/fish")).stdout).toMatch(/^set -gx/);
    expect((await of("/bin/dash")).stdout).toMatch(/^export/);
    expect(await of("/bin/tcsh")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('cannot write for the shell "/bin/tcsh"\nhint: name one') as string,
    });
  });

  test("what config prints is a forwards.yaml that means the same", async () => {
    const { stdout } = await project.ok("config");
    const again = await project.start(["config", "-f", "-"], { stdin: stdout }).ended;
    expect(again).toMatchObject({ status: 0, stdout });
    const hashes = (await project.ok("config", "--hash")).stdout;
    expect((await project.start(["config", "--hash", "-f", "-"], { stdin: stdout }).ended).stdout).toBe(
      hashes,
    );
    expect(hashes).toMatch(/^api [0-9a-f]{16}\ndb [0-9a-f]{16}\nany [0-9a-f]{16}\n$/);
  });

  test("config --origin says where each value comes from", async () => {
    const { stdout } = await project.ok("config", "--origin");
    expect(stdout).toMatch(/^ {4}target: svc\/api +# forwards\.yaml:4:\d+$/m);
  });

  test("schema prints the schema that editors use", async () => {
    const { stdout } = await project.ok("schema");
    expect(stdout).toBe(readFileSync(new URL("../../schema/forwards.v1.json", import.meta.url), "utf8"));
  });

  test("import writes a new file that passes the check, tells what it left out, and never writes over one", async () => {
    const script = "kubectl -n shop port-forward svc/api 8080:80\nkubectl port-forward $POD 1\n";
    const importing = (...args: string[]) => project.start(["import", ...args], { stdin: script }).ended;
    expect(await importing("-", "-o", "imported.yaml")).toEqual({
      status: 0,
      signal: null,
      stdout: "",
      stderr:
        "left out kubectl port-forward ${POD} 1: ${POD} is known to the script alone\n1 forward from kubectl, written to imported.yaml\n",
    });
    expect(await project.run("check", "-f", "imported.yaml")).toMatchObject({ status: 0 });
    const written = readFileSync(join(project.folder, "imported.yaml"), "utf8");
    expect((await importing("-")).stdout).toBe(written);

    writeFileSync(join(project.folder, "mine.yaml"), "mine");
    expect(await importing("-", "-o", "mine.yaml")).toMatchObject({
      status: 2,
      stderr:
        'error: "mine.yaml" is there already, and is left as it is\nhint: name another file, or move that one away\n',
    });
    expect(readFileSync(join(project.folder, "mine.yaml"), "utf8")).toBe("mine");
    expect(await importing("-", "-o", "no/where.yaml")).toMatchObject({ status: 2, stdout: "" });
    expect(existsSync(join(project.folder, "no"))).toBe(false);
  });

  test("import refuses what is a forwards.yaml already, and what has nothing to take over", async () => {
    expect(await project.run("import", "forwards.yaml")).toMatchObject({
      status: 2,
      stderr: 'error: "forwards.yaml" is a forwards.yaml already\nhint: kfwd check -f forwards.yaml\n',
    });
    const nothing = await project.start(["import", "-"], { stdin: "kubectl port-forward $A 1\n" }).ended;
    expect(nothing).toMatchObject({ status: 2, stdout: "" });
    expect(nothing.stderr).toBe(
      "error: standard input has no forward that could be taken over\n  left out kubectl port-forward ${A} 1: ${A} is known to the script alone\nhint: it was read as kubectl; --format names another\n",
    );
  });

  test.each(["check", "config", "env", "port", "url", "import", "schema", "init"])(
    "%s has help with two examples",
    async (name) => {
      const { stdout } = await project.ok("help", name);
      const examples = /\nExamples:\n([\s\S]+)$/.exec(stdout)?.[1] ?? "";
      expect(
        examples
          .trimEnd()
          .split("\n")
          .filter((line) => line.includes("kfwd ")).length,
      ).toBeGreaterThanOrEqual(2);
    },
  );
});

describe("with a supervisor", () => {
  test("ports that the system chose are those that run", async () => {
    await using world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await using project = await bringUp(world, namespace, {
      api: { target: "svc/app", port: 7000, local: "auto" },
      web: { target: "svc/app", port: 7001, local: "auto" },
    });
    const port = await project.port("api");
    expect((await project.ok("port", "api")).stdout).toBe(`127.0.0.1:${port}\n`);
    expect((await project.ok("env", "api", "--shell", "bash")).stdout).toBe(
      `export API_HOST='127.0.0.1'\nexport API_PORT='${port}'\n`,
    );
    await project.ok("down", "api");
    expect(await project.run("port", "api")).toMatchObject({
      status: 3,
      stderr: 'error: forward "api" has no local port yet\nhint: kfwd up -d api\n',
    });
  });
});
