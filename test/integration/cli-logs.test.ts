import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, renameSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, projectOf } from "../behaviour/stage.ts";
import { httpGet, within } from "../rig/client.ts";
import { CLI, type Project } from "../rig/project.ts";
import { untilItListens } from "../rig/signals.ts";

const TIME = String.raw`\d\d:\d\d:\d\d`;

interface Told {
  readonly schema: string;
  readonly type: string;
  readonly forward: string;
  readonly state: string;
  readonly event: string;
  readonly lost: string;
  readonly reason: { readonly code: string } | null;
}

function told(stdout: string): readonly Told[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Told);
}

async function kill(project: Project): Promise<void> {
  const pid = project.supervisorPid;
  process.kill(pid, "SIGKILL");
  while (project.processes().includes(pid)) await new Promise((resolve) => setImmediate(resolve));
}

describe.concurrent("logs and events", () => {
  let world: SandboxWorld;
  beforeAll(async () => {
    world = await SandboxWorld.start();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** `db` and `web` of an app of their own, up. */
  async function running(): Promise<{ up: Project; namespace: string }> {
    const namespace = await world.newNamespace();
    await Promise.all([world.deploy(namespace, "db"), world.deploy(namespace, "web")]);
    const up = await bringUp(world, namespace, {
      db: { target: "svc/db", port: 80, local: "auto" },
      web: { target: "svc/web", port: 80, local: "auto" },
    });
    return { up, namespace };
  }

  async function replacePod(project: Project, namespace: string, app: string): Promise<string> {
    const { pod } = await project.forward(app);
    await world.deletePod(namespace, pod ?? "");
    await project.until(app, (status) => status.state === "ready" && status.pod !== pod);
    return pod ?? "";
  }

  test("tell what happened, by forward, by count, by level and by time", async () => {
    const { up, namespace } = await running();
    await using project = up;
    const pod = await replacePod(project, namespace, "db");
    const all = (await project.ok("logs")).stdout;
    expect(all).toMatch(
      new RegExp(`^kfwd \\| ${TIME} supervisor started \\(pid \\d+, version \\S+\\)$`, "m"),
    );
    expect(all).toMatch(new RegExp(`^web  \\| ${TIME} ready on web-\\S+:8080$`, "m"));
    expect(all).toMatch(new RegExp(`^db   \\| ${TIME} lost pod ${pod}: `, "m"));
    expect(all).toMatch(new RegExp(`^db   \\| ${TIME} ready again on db-\\S+:8080 after \\S+s$`, "m"));

    const db = (await project.ok("logs", "db", "-n", "1", "--no-log-prefix", "-t")).stdout;
    expect(db).toMatch(/^\d{4}-\d\d-\d\dT\S+Z ready again on db-\S+ after \S+s\n$/);
    expect((await project.ok("logs", "-n", "0")).stdout).toBe("");
    expect((await project.ok("logs", "--since", "2d", "--until", "1d")).stdout).toBe("");
    expect((await project.ok("logs", "--level", "error")).stdout).toBe("");
    expect((await project.ok("logs", "--level", "debug", "web")).stdout).toContain("connecting to pod web-");
    const [line] = told((await project.ok("logs", "--json", "-n", "1")).stdout);
    expect(line).toMatchObject({ schema: "kfwd.log/1", event: "ready", level: "info", forward: "db" });
    const unknown = await project.run("logs", "bd");
    expect(unknown).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("known: db, web") as string,
    });
  });

  test("can be read after the supervisor was killed, and after it was stopped", async () => {
    const { up } = await running();
    await using project = up;
    await httpGet(await project.port("web"));
    await kill(project);
    const { stdout } = await project.ok("logs", "web");
    expect(stdout).toMatch(/^web {2}\| \S+ ready on web-\S+:8080\n$/);
    const history = told((await project.ok("events", "--since", "1h", "web")).stdout);
    expect(history.map(({ state }) => state)).toEqual(["ready"]);
    const dead = await project.run("events");
    expect(dead).toMatchObject({ status: 3, stdout: "" });
    expect(dead.stderr).toContain("was killed or crashed");
    await project.ok("down");
    expect((await project.ok("logs", "web")).stdout).toBe(stdout);
    expect((await project.run("events")).stderr).toContain("nothing is running for project shop");
  });

  test("where nothing has ever run there are none", async () => {
    await using project = await projectOf(world, "shop", {
      db: { target: "svc/db", port: 80, local: "auto" },
    });
    for (const command of ["logs", "events"]) {
      const { status, stderr } = await project.run(command);
      expect({ status, stderr }).toEqual({
        status: 3,
        stderr: "error: project shop has no log: it has not run yet\nhint: kfwd up\n",
      });
    }
  });

  test("followed, they go on over a rotation and a new supervisor, until Ctrl-C", async () => {
    const { up, namespace } = await running();
    await using project = up;
    const { supervisor } = await project.status();
    const logs = project.start(["logs", "-f", "-n", "0", "db"]);
    const events = project.start(["events", "db"]);
    const pod = await (async () => {
      // whoever starts may be late: what has happened by then is told to nobody
      for (;;) {
        const lost = await replacePod(project, namespace, "db");
        if (logs.stdout !== "" && events.stdout !== "") return lost;
      }
    })();
    await logs.says(new RegExp(`lost pod ${pod}`));
    renameSync(supervisor.log, `${supervisor.log}.1`);
    await project.ok("down");
    await project.write(fileOf(namespace, { db: { target: "svc/db", port: 7000, local: "auto" } }));
    await project.ok("up", "--wait");
    await logs.says(/ready on db-\S+:7000/);
    await events.says(/"state":"ready","reason":null,"target":"svc\/db:7000"/);
    for (const command of [logs, events]) {
      command.kill("SIGINT");
      expect((await command.ended).status).toBe(130);
    }
    const lines = told(events.stdout);
    expect(new Set(lines.map(({ schema, type, forward }) => `${schema} ${type} ${forward}`))).toEqual(
      new Set(["kfwd.event/1 forward db"]),
    );
    const lost = lines.find((line) => line.lost === pod);
    expect(lost?.reason?.code).toBeTruthy();
    expect(readFileSync(supervisor.log, "utf8")).toContain('"event":"started"');
  });

  test.runIf(process.platform === "linux").each([[["logs", "-f"]], [["events", "--since", "1h"]]])(
    "%j: one SIGTERM ends it, also when its reader has stopped reading",
    async (args) => {
      const { up } = await running();
      await using project = up;
      const { supervisor } = await project.status();
      const line = readFileSync(supervisor.log, "utf8")
        .split("\n")
        .find((text) => text.includes('"ready"'));
      appendFileSync(supervisor.log, `${line}\n`.repeat(20_000)); // far more than a pipe holds
      const command = spawn(process.execPath, [CLI, ...args], {
        cwd: project.folder,
        env: project.env,
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = once(command, "exit");
      try {
        await within(once(command.stdout, "readable"));
        await untilItListens({ child: command });
        command.kill("SIGTERM");
        expect(await within(ended)).toEqual([143, null]);
      } finally {
        command.kill("SIGKILL");
      }
    },
  );

  test("the supervisor's own beginning and end are events, too", async () => {
    const { up } = await running();
    await using project = up;
    await project.ok("down");
    const all = told((await project.ok("events", "--since", "1h")).stdout);
    expect(all[0]).toMatchObject({ type: "supervisor", event: "started" });
    expect(all.at(-1)).toMatchObject({ type: "supervisor", event: "ended" });
    expect(all.filter(({ state }) => state === "stopped").length).toBe(2);
  });
});
