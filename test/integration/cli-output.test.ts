import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf } from "../behaviour/stage.ts";
import { ask, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";

const PLAIN_LINE =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (api|db) ready local=127\.0\.0\.1:\d+(,\[::1\]:\d+)? target=svc\/app:700[01] pod=app-[\w-]+:700[01] ms=\d+$/;

/** What a script may rely on, field by field: whoever changes it breaks scripts, and must raise `schema`. */
const STATUS_SHAPE = {
  schema: "string",
  project: "string",
  supervisor: { pid: "number", mode: "string", version: "string", startedAt: "string", log: "string" },
  config: { path: "string", sha256: "string" },
  entries: {
    name: "string",
    description: "null",
    state: "string",
    reason: "null",
    protocol: "string",
    required: "boolean",
    local: { address: "string", port: "number" },
    bind: "string",
    localPort: "number",
    target: { kind: "string", name: "string" },
    targetText: "string",
    context: "string",
    namespace: "string",
    datagrams: "null",
    relay: "null",
    pod: "string",
    podPort: "number",
    since: "string",
    attempt: "number",
    restarts: "number",
    retryAt: "null",
    lastError: "null",
    traffic: {
      bytesIn: "number",
      bytesOut: "number",
      connections: "number",
      held: "number",
      waited: "number",
      served: "number",
      refused: "number",
      lateEnds: "number",
    },
  },
  configChanged: "boolean",
  notStarted: undefined,
  undeclared: undefined,
};

const FORWARDS = {
  api: { target: "svc/app", port: 7000, local: "auto" },
  db: { target: "svc/app", port: 7001, local: "auto" },
};

describe.concurrent("output", () => {
  let world: SandboxWorld;
  let namespace: string;
  let running: Project;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    running = await bringUp(world, namespace, FORWARDS);
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  const missing = { target: "svc/none", port: 80, local: "auto" };

  test("data goes to stdout, everything said to people to stderr", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const up = await project.ok("up", "--wait");
    const lines = up.stderr.trimEnd().split("\n");
    expect(up.stdout).toBe("");
    expect(lines.slice(0, -1)).toEqual([PLAIN_LINE, PLAIN_LINE].map((line) => expect.stringMatching(line)));
    expect(lines.at(-1)).toBe("kfwd: ready 2/2");

    await project.write("# changed\n");
    const status = await project.ok("status");
    expect(status.stdout).toMatch(/^NAME +LOCAL +TARGET +STATUS +UP +CONNS\napi .*\ndb .*\n$/);
    expect(status.stderr).toMatch(/^\S+\/forwards\.yaml has changed since; `kfwd up` makes it so\n$/);

    const down = await project.ok("down");
    expect(down.stdout).toBe("");
    expect(down.stderr).toMatch(/^2 forwards stopped \(\d+\.\ds\)\n$/);
  });

  test("`status --json` is one document of a fixed shape", async () => {
    const { stdout, stderr } = await running.ok("status", "--json");
    expect(stderr).toBe("");
    const report: unknown = JSON.parse(stdout);
    expect(shapeOf(report)).toEqual(STATUS_SHAPE);
    expect(report).toMatchObject({ schema: "kfwd.status/1", project: "shop", configChanged: false });
  });

  test("`status --json` of nothing is an error on stderr, as JSON", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const { status, stdout, stderr } = await project.run("status", "--json");
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: "KFWD_NOT_RUNNING", message: "nothing is running for project shop", hint: "kfwd up" },
    });
  });

  test("`up --json` is a document a line, `down --json` one, with nothing beside them", async () => {
    await using project = await projectOf(world, namespace, { ...FORWARDS, missing });
    const up = await project.run("up", "--wait", "--wait-timeout", "1s", "--json");
    expect(up.status).toBe(1);
    const said = up.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { schema: string; type: string; entry: string; state: string });
    expect(new Set(said.map(({ schema }) => schema))).toEqual(new Set(["kfwd.up/1"]));
    const start = (entry: string) => ({ entry, action: "start" });
    expect(said[0]).toMatchObject({ type: "plan", changes: ["api", "db", "missing"].map(start) });
    expect(said.slice(1, -1).map(({ type }) => type)).toEqual(["entry", "entry", "entry"]);
    expect(new Set(said.slice(1, -1).map(({ entry, state }) => `${entry} ${state}`))).toEqual(
      new Set(["api ready", "db ready", "missing waiting"]),
    );
    expect(said.at(-1)).toEqual({ schema: "kfwd.up/1", type: "summary", ready: 2, total: 3, exitCode: 1 });
    expect(JSON.parse(up.stderr)).toMatchObject({ error: { code: "KFWD_NOT_READY_IN_TIME" } });

    const down = await project.ok("down", "--json");
    expect(down.stderr).toBe("");
    expect(JSON.parse(down.stdout)).toEqual({ schema: "kfwd.down/1", stopped: ["api", "db", "missing"] });
    const again = await project.ok("down", "--json");
    expect(JSON.parse(again.stdout)).toEqual({ schema: "kfwd.down/1", stopped: [] });
  });

  test("the last line of `up` counts what is not ready, after the error that names it", async () => {
    await using project = await projectOf(world, namespace, { ...FORWARDS, missing });
    const { status, stderr } = await project.run("up", "--wait", "--wait-timeout", "1s");
    expect(status).toBe(1);
    expect(stderr.trimEnd().split("\n").slice(-3)).toEqual([
      expect.stringMatching(/^error: 1 of 3 not ready after 1 s: missing \(\w+\); all stay up$/),
      "hint: kfwd status",
      "kfwd: degraded 2/3",
    ]);
    const detached = await project.ok("up", "-d");
    expect(detached.stderr).toMatch(/\nkfwd: degraded 2\/3\n$/);
  });

  test("-q says nothing but errors", async () => {
    await using project = await projectOf(world, namespace, { ...FORWARDS, missing });
    const silent = { status: 0, stdout: "", stderr: "" };
    expect(await project.run("up", "-d", "-q")).toMatchObject(silent);
    const { stderr } = await project.run("up", "-q", "--wait", "--wait-timeout", "500ms");
    expect(stderr).toMatch(/^error: 1 of 3 not ready .*\nhint: kfwd status\n$/);
    expect(await project.run("down", "-q")).toMatchObject(silent);
    await project.write("forwards: { a: 1 }");
    expect((await project.run("up", "-q")).stderr).toMatch(/^error: /);
  });

  test.each([
    [["--color", "always"], {}, true],
    [["--color=always"], { NO_COLOR: "1" }, true],
    [[], {}, false],
    [[], { FORCE_COLOR: "1" }, true],
    [[], { FORCE_COLOR: "0" }, false],
    [[], { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [["--color", "never"], { FORCE_COLOR: "1" }, false],
    [["--json", "--color", "always"], {}, false],
  ])("colour with %j and %j: %j", async (args, env, coloured) => {
    const { stdout } = await running.start(["status", ...args], { env }).ended;
    expect(stdout.includes("\u001b[32mready")).toBe(coloured);
    expect(stdout.includes("\u001b")).toBe(coloured);
    const { stderr } = await running.start(["up", "-d", "-f", "-", ...args], { env, stdin: "a: 1" }).ended;
    expect(stderr.includes("\u001b[31merror:\u001b[39m")).toBe(coloured);
    expect(stderr.includes("\u001b")).toBe(coloured);
  });

  test.each([[["status"]], [["status", "--json"]], [["help"]], [["up", "-d"]], [["up", "-d", "--json"]]])(
    "%j whose readers have left ends as ever, without a word of it",
    async (args) => {
      const command = running.start(args);
      command.child.stdout?.destroy();
      const { status, signal, stderr } = await within(command.ended);
      expect({ status, signal }).toEqual({ status: 0, signal: null });
      expect(stderr).not.toMatch(/EPIPE|error/);
    },
  );

  test.each([[["up"]], [["up", "--json"]]])("%j whose readers have left keeps its forwards", async (args) => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const up = project.start(args);
    await up.says(/"summary"|kfwd: ready/);
    up.child.stdout?.destroy();
    up.child.stderr?.destroy();
    const port = await project.port("api");
    await project.ok("down", "db"); // something to tell nobody of
    expect(await ask(port)).toBe("ping\n");
    up.kill("SIGTERM");
    expect(await within(up.ended)).toMatchObject({ status: 0, signal: null });
  });
});

/** Names of types in place of values; of a list, the shape that all its items share. */
function shapeOf(value: unknown): unknown {
  if (value === null) return "null";
  if (Array.isArray(value)) {
    const [first, ...others] = value.map(shapeOf);
    for (const other of others) expect(other).toEqual(first);
    return first;
  }
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
