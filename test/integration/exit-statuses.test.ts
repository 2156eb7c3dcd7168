import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { freePort } from "../rig/freeport.ts";
import { commandNames, flagsOf } from "../rig/helptext.ts";
import { Project } from "../rig/project.ts";

/** Where a command is run. */
type Place =
  | "nowhere" // no file
  | "broken" // a file with a mistake
  | "idle" // a file, and nothing runs
  | "ready" // everything is ready
  | "late" // it runs, and a forward has no Service
  | "busy" // somebody else has the local port
  | "rightless" // a user who may not do anything
  | "clusterless" // no API server answers
  | "folderless"; // no runtime folder can be used

const COMMANDS = commandNames();

/** What each command line exits with, by where it is run. */
const TABLE: readonly (readonly [line: string, statuses: Readonly<Partial<Record<Place, number>>>])[] = [
  ["up -d", { nowhere: 2, broken: 2, idle: 0, ready: 0, busy: 5, folderless: 5 }],
  ["up --wait --wait-timeout 1s", { late: 1, rightless: 4, clusterless: 4 }],
  ["up --context none", { idle: 4 }],
  ["down", { nowhere: 2, broken: 0, idle: 0, folderless: 5 }],
  ["down nobody", { ready: 2, idle: 0 }],
  ["status", { nowhere: 2, broken: 3, idle: 3, ready: 0, late: 1, busy: 1, folderless: 5 }],
  ["ps api", { idle: 3, ready: 0, late: 0 }],
  ["ls", { nowhere: 0, idle: 0, ready: 0, folderless: 5 }],
  ["logs", { nowhere: 2, broken: 3, ready: 0, folderless: 5 }],
  ["events", { nowhere: 2, idle: 3, folderless: 5 }],
  ["wait", { nowhere: 2, idle: 3, ready: 0, folderless: 5 }],
  ["wait --timeout 1s", { late: 1, idle: 3 }],
  ["check", { nowhere: 2, broken: 2, idle: 0, ready: 0 }],
  ["check --cluster", { idle: 0, ready: 0, late: 1, rightless: 4, clusterless: 4 }],
  ["config", { nowhere: 2, broken: 2, idle: 0 }],
  ["env", { nowhere: 2, broken: 2, idle: 0, ready: 0 }],
  ["port api", { nowhere: 2, broken: 2, idle: 3, ready: 0, folderless: 5 }],
  ["port api --static", { idle: 0, folderless: 0 }],
  ["port nobody", { idle: 2, ready: 2 }],
  ["url api", { nowhere: 2, idle: 3, ready: 0 }],
  ["import -", { nowhere: 2 }],
  ["import forwards.yaml", { nowhere: 2, idle: 2 }],
  ["schema", { nowhere: 0, broken: 0 }],
  ["init -y", { idle: 2 }],
  ["init --from-cluster", { nowhere: 4 }],
  ["allow", { nowhere: 2, broken: 2, idle: 0 }],
  ["prune --yes", { idle: 0, ready: 0, folderless: 5 }],
  ["demo now", { nowhere: 2 }],
  ["completion bash", { nowhere: 0, broken: 0 }],
  ["completion csh", { nowhere: 2 }],
  ["help", { nowhere: 0 }],
  ["help file", { nowhere: 0 }],
  ["help nothing", { nowhere: 2 }],
  ["--version", { nowhere: 0 }],
  ["version", { nowhere: 0 }],
  ["stop api", { nowhere: 2, idle: 3 }],
  ["start api", { nowhere: 2, ready: 0 }],
  ["restart api", { nowhere: 2, idle: 3, ready: 0 }],
  ["run -- true", { nowhere: 125, broken: 125, ready: 0, folderless: 125 }],
  ["run -- false", { ready: 1 }],
  ["run -- no-such-program", { ready: 127 }],
  ["open api", { nowhere: 2, idle: 3 }],
  ["attach", { nowhere: 2, idle: 3 }],
  ["hosts print", { nowhere: 2, broken: 2, idle: 0 }],
  ["doctor", { nowhere: 4, broken: 2, ready: 0, clusterless: 4, folderless: 5 }],
  ["rbac", { nowhere: 2, broken: 2, idle: 0 }],
];

const KNOWN = TABLE.filter(([line]) => {
  const [command = ""] = line.split(" ");
  return command.startsWith("-") || command === "ps" || COMMANDS.includes(command);
});
const CASES = KNOWN.flatMap(([line, statuses]) =>
  Object.entries(statuses).map(([place, status]) => [line, place as Place, status] as const),
);

let world: SandboxWorld;
let neighbour: Server;
const places = new Map<Place, Project>();

beforeAll(async () => {
  world = await SandboxWorld.start();
  const namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
  neighbour = createServer().listen(await freePort(), "127.0.0.1");
  await once(neighbour, "listening");
  const address = neighbour.address();
  const taken = typeof address === "object" && address !== null ? address.port : 0;
  const api = { target: "svc/app", port: 7000, local: await freePort(), url: "http://{host}:{port}/" };
  const good = (): string => fileOf(namespace, { api });
  const files: Readonly<Record<Place, string | undefined>> = {
    nowhere: undefined,
    broken: "forwards: [",
    idle: good(),
    ready: fileOf(namespace, { api: { ...api, local: await freePort() } }),
    late: fileOf(namespace, {
      api: { ...api, local: await freePort() },
      gone: { target: "svc/gone", port: 1, local: await freePort() },
    }),
    busy: fileOf(namespace, { api: { ...api, local: taken } }),
    rightless: fileOf(namespace, { api: { ...api, local: await freePort() } }),
    clusterless: fileOf(namespace, { api: { ...api, local: await freePort() } }),
    folderless: good(),
  };
  for (const [place, file] of Object.entries(files) as [Place, string | undefined][]) {
    const kubeconfig = world.kubeconfig(place === "rightless" ? "nobody" : "admin");
    const project = await Project.create({ kubeconfig, ...(file === undefined ? {} : { file }) });
    if (place === "clusterless" || place === "nowhere") {
      const dead = JSON.stringify({
        "current-context": "dead",
        contexts: [{ name: "dead", context: { cluster: "dead", user: "dead" } }],
        clusters: [{ name: "dead", cluster: { server: "https://127.0.0.1:1" } }],
        users: [{ name: "dead", user: { token: "t" } }],
      });
      await project.write(dead, "kubeconfig");
      project.env["KUBECONFIG"] = `${project.folder}/kubeconfig`;
    }
    if (place === "folderless") project.env["KFWD_RUNTIME_DIR"] = "relative";
    places.set(place, project);
  }
  await placed("ready").ok("up", "-d", "--wait");
  await placed("late").ok("up", "-d");
  await placed("busy").run("up", "-d");
});
afterAll(async () => {
  placed("folderless").env["KFWD_RUNTIME_DIR"] = `${placed("folderless").root}/run`;
  for (const project of places.values()) await project[Symbol.asyncDispose]();
  neighbour.close();
  await world[Symbol.asyncDispose]();
});

function placed(place: Place): Project {
  const project = places.get(place);
  if (project === undefined) throw new Error(`no project ${place}`);
  return project;
}

test("the table has every command", () => {
  const lines = KNOWN.map(([line]) => line.split(" ")[0]);
  expect(COMMANDS.filter((name) => !lines.includes(name))).toEqual([]);
});

describe("exits", () => {
  test.each(CASES)("kfwd %s, %s: %i", async (line, place, status) => {
    const project = placed(place);
    const ended = await project.run(...line.split(" "));
    expect({ line, place, status: ended.status, stderr: ended.stderr }).toEqual({
      line,
      place,
      status,
      stderr: expect.not.stringMatching(/^\s+at /m) as string,
    });
    // `up` has made what is to be idle run, or the other way round.
    if (place === "idle" && line.startsWith("up")) await project.ok("down");
  });

  test.each(COMMANDS.map((name) => [name]))("kfwd %s --no-such-flag is refused", async (name) => {
    const { status, stdout, stderr } = await placed("nowhere").run(name, "--no-such-flag");
    const refused = name === "run" ? 125 : 2; // its 2 may be the command's
    expect({ status, stdout }).toEqual({ status: refused, stdout: "" });
    expect(stderr).toMatch(/^error: /);
  });
});

/** Commands that print a file, a script or text for people, and what each is. */
const NO_JSON: Readonly<Record<string, string>> = {
  init: "it writes a file",
  import: "it prints a file, in YAML",
  schema: "it prints JSON as it is",
  demo: "it tells a story",
  completion: "it prints a script",
  attach: "it shows what happens, until Ctrl-C",
  help: "it prints text",
};

/** Command lines that print JSON, where everything is ready. Those that go on until a signal are in other tests. */
const JSON_LINES: Readonly<Record<string, string>> = {
  up: "up -d --json",
  down: "down --json -p nobody",
  status: "status --json",
  ls: "ls --json",
  logs: "logs --json",
  wait: "wait --json",
  env: "env --json",
  port: "port api --json",
  url: "url api --json",
  check: "check --json",
  config: "config --json",
  allow: "allow --json",
  prune: "prune --json --yes",
  restart: "restart api --json",
  start: "start api --json",
  stop: "stop nobody --json",
  version: "version --json",
  hosts: "hosts print --json",
  doctor: "doctor --json",
  rbac: "rbac --json",
};

describe("JSON", () => {
  test("is what every command can print that prints data", () => {
    const without = COMMANDS.filter((name) => !flagsOf(name).includes("--json"));
    expect(without.filter((name) => NO_JSON[name] === undefined)).toEqual([]);
  });

  const lines = COMMANDS.flatMap((name) =>
    JSON_LINES[name] === undefined ? [] : [[JSON_LINES[name]] as const],
  );
  test.each(lines)("kfwd %s: each line has a schema", async (line) => {
    const { status, stdout, stderr } = await placed("ready").run(...line.split(" "));
    const documents = stdout.split("\n").filter((text) => text !== "");
    for (const text of documents) {
      expect(JSON.parse(text)).toMatchObject({
        schema: expect.stringMatching(/^kfwd\.[a-z-]+\/\d+$/) as string,
      });
    }
    expect({ status, said: documents.length > 0 || stderr.startsWith('{"error"') }).toEqual({
      status: expect.toSatisfy((one: number) => [0, 2, 3].includes(one)) as number,
      said: true,
    });
  });
});
