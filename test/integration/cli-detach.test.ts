import { mkdir, readFile, rm } from "node:fs/promises";
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleepFor } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, projectOf } from "../behaviour/stage.ts";
import { idleControl } from "../puppets/idlecontrol.ts";
import { within } from "../rig/client.ts";
import { ownerOf } from "../rig/owner.ts";
import { CLI, Project } from "../rig/project.ts";

const KFWD = `"${process.execPath}" "${CLI}"`;

/** The supervisor as a process: what it keeps of its starter, where it writes, and how its start may go wrong. */
describe.concurrent("a detached supervisor", () => {
  let world: SandboxWorld;
  let namespace: string;
  const forwards = { echo: { target: "svc/app", port: 7000, local: "auto" } };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.runIf(process.platform === "linux")("keeps nothing that its starter had open", async () => {
    await using project = await projectOf(world, namespace, forwards);
    // 9 follows a gap, 40 a larger one; both would keep the reader of the pipe waiting.
    const line = `exec 8>kept; { ${KFWD} up --wait 2>&1 9>&1 40>&1; } | cat`;
    const { status, stdout } = await within(project.exec("bash", ["-c", line]).ended);
    expect(status).toBe(0);
    expect(stdout).toMatch(/kfwd: ready 1\/1\n$/);
    const pid = project.supervisorPid;
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const { supervisor } = await project.status();
    expect(links.filter((link) => link.startsWith("/") && !link.startsWith("/dev/")).sort()).toEqual(
      links.filter((link) => link === supervisor.log),
    );
    expect(links).toContain(supervisor.log);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
    expect(Number(session)).toBe(pid);
  });

  test("writes a log that only its user can read, which tells what happened", async () => {
    await using project = await bringUp(world, namespace, {
      ...forwards,
      none: { target: "svc/none", port: 80, local: "auto", required: false },
    });
    const { supervisor } = await project.status();
    expect(statSync(supervisor.log).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(supervisor.log)).mode & 0o777).toBe(0o700);
    await project.ok("down");
    const lines = (await readFile(supervisor.log, "utf8")).trimEnd().split("\n");
    const events = lines.map(
      (line) => JSON.parse(line) as { event: string; forward?: string; message?: string },
    );
    expect(events[0]).toMatchObject({ event: "started", pid: supervisor.pid });
    expect(events.at(-1)).toMatchObject({ event: "ended" });
    expect(
      events
        .filter(({ forward }) => forward === "none")
        .map((event) => JSON.stringify(event))
        .join(),
    ).toMatch(/service \\"none\\" not found|no service/i);
  });

  test("that is killed while it starts: `up` starts another or says so, and the next one does", async () => {
    await using project = await projectOf(world, namespace, forwards);
    const up = project.start(["up", "-d"]);
    const victim = await within(supervisorOf(project));
    process.kill(victim, "SIGKILL");
    const { status, stderr } = await within(up.ended);
    expect(stderr).not.toMatch(/^ +at /m);
    // Late enough, and `up` has found its lock and started another.
    if (status === 0) expect((await project.status()).supervisor.pid).not.toBe(victim);
    else {
      expect([3, 70]).toContain(status);
      expect(stderr).toMatch(
        /^error: (the supervisor did not start: it was ended by SIGKILL|project "shop" is not running: its supervisor \(pid \d+\) was killed or crashed)/,
      );
    }
    await project.ok("up", "--wait");
    await project.ok("down");
    expect(readdirSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toEqual([]);
  });

  test("that is frozen is not ended for some of its forwards", async () => {
    await using project = await bringUp(world, namespace, { ...forwards, other: forwards.echo });
    const pid = project.supervisorPid;
    process.kill(pid, "SIGSTOP");
    for (const args of [
      ["down", "echo"],
      ["down", "--force", "echo"],
    ]) {
      const { status, stderr } = await project.run(...args);
      expect(status).toBe(3);
      expect(stderr).toContain(`(pid ${pid}) does not answer`);
    }
    process.kill(pid, "SIGCONT");
    expect((await project.status()).entries.map(({ state }) => state)).toEqual(["ready", "ready"]);
    await project.ok("down", "echo");
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["other"]);
  });

  test.runIf(process.platform === "linux")("that is busy for a moment: `up` asks again", async () => {
    await using project = await bringUp(world, namespace, forwards);
    const pid = project.supervisorPid;
    const { socket } = JSON.parse(readFileSync(project.lockPath, "utf8")) as { socket: string };
    process.kill(pid, "SIGSTOP");
    const up = project.start(["up", "-d"]);
    const bound = socket.replace(/sock$/, "bind"); // its first name, which the kernel goes on to show
    await vi.waitFor(
      () => {
        const sockets = readFileSync("/proc/net/unix", "utf8").split("\n");
        // The listener, and two connections that nobody accepts.
        expect(sockets.filter((line) => line.endsWith(` ${bound}`)).length).toBeGreaterThanOrEqual(3);
      },
      { timeout: 15_000 },
    );
    process.kill(pid, "SIGCONT");
    expect(await within(up.ended)).toMatchObject({ status: 0 });
    expect(project.supervisorPid).toBe(pid);
  });

  test("that is frozen is not killed by `down`, only by `down --force`", async () => {
    await using project = await bringUp(world, namespace, forwards);
    const pid = project.supervisorPid;
    // What a frozen one does not say is taken from its lock, which is written a moment after the change.
    await vi.waitFor(
      () => expect(JSON.parse(readFileSync(project.lockPath, "utf8"))).toMatchObject({ forwards: [{}] }),
      { timeout: 15_000 },
    );
    process.kill(pid, "SIGSTOP");
    expect(await project.run("down")).toMatchObject({
      status: 3,
      stdout: "",
      stderr:
        "the supervisor does not answer: sent SIGTERM\n" +
        `error: cannot end the supervisor of project "shop" (pid ${pid}): it is suspended, so SIGTERM has to wait\n` +
        "hint: kfwd down --force\n",
    });
    expect(project.processes()).toEqual([pid]);
    const { stderr } = await project.ok("down", "--force");
    expect(stderr).toMatch(/^the supervisor does not answer: sent SIGKILL\n1 forward stopped \(.*\)\n$/);
    expect(project.processes()).toEqual([]);
    expect(readdirSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toEqual([]);
  });

  test("opens no debugger at SIGUSR1", async () => {
    await using project = await bringUp(world, namespace, forwards);
    const { supervisor } = await project.status();
    process.kill(supervisor.pid, "SIGUSR1");
    expect((await project.status()).supervisor.pid).toBe(supervisor.pid);
    expect(await readFile(supervisor.log, "utf8")).not.toMatch(/debugger/i);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "that never says what became of the file: `up` ends at %s as at any other time",
    async (signal) => {
      await using project = await projectOf(world, namespace, forwards);
      let asked = (): void => {};
      const hanging = new Promise<void>((resolve) => (asked = resolve));
      const apply = (): Promise<never> => {
        asked();
        return new Promise(() => {});
      };
      await using owner = await ownerOf(project, { ...idleControl, apply });
      const up = project.start(["up", "-d"]);
      await within(hanging);
      expect(owner.record.project).toBe("shop"); // it has joined the owner, and started none
      up.kill(signal);
      const { status, stderr } = await within(up.ended);
      expect({ status, stderr }).toEqual({ status: signal === "SIGINT" ? 130 : 143, stderr: "" });
    },
  );

  test("whose start is no longer waited for goes on, and `up --wait` says so", async () => {
    await using project = await projectOf(world, namespace, {
      late: { target: "svc/late", port: 80, local: "auto" },
    });
    const up = project.start(["up", "--wait"]);
    await up.says(/late waiting /);
    up.kill("SIGINT");
    const { status, stderr } = await within(up.ended);
    expect(status).toBe(130);
    expect(stderr).toMatch(/\nthe forwards go on in the background, `kfwd down` stops them\n$/);
    expect((await project.forward("late")).state).toBe("waiting");
  });

  describe.concurrent("and its surroundings", () => {
    test("a working folder that was removed: its project is still found, and ended", async () => {
      await using project = await bringUp(world, namespace, forwards);
      // The shell stays where its folder was.
      const line = `rm -r "$PWD"; ${KFWD} status && ${KFWD} up -d; ${KFWD} down`;
      const { status, stdout, stderr } = await within(project.exec("sh", ["-c", line]).ended);
      const left = project.processes();
      await mkdir(project.folder);
      expect(stdout).toMatch(/^echo .* ready /m);
      expect(stderr).toContain(`\nerror: no forwards.yaml in ${project.folder} or its parents\n`);
      expect(stderr).toMatch(/\n1 forward stopped \(.*\)\n$/);
      expect({ status, left }).toEqual({ status: 0, left: [] });
    });

    test.each([
      ["unset", undefined],
      ["empty", ""],
    ])("HOME %s: everything works", async (_, HOME) => {
      await using project = await projectOf(world, namespace, forwards);
      const env = { HOME };
      for (const args of [["up", "--wait"], ["status"], ["down"]]) {
        expect(await project.start(args, { env }).ended).toMatchObject({ status: 0 });
      }
      expect(readdirSync(project.folder)).toEqual(["forwards.yaml"]);
    });

    test("without XDG_STATE_HOME the log is in the home folder", async () => {
      await using project = await projectOf(world, namespace, forwards);
      const env = { XDG_STATE_HOME: undefined };
      expect(await project.start(["up", "--wait"], { env }).ended).toMatchObject({ status: 0 });
      const { supervisor } = await project.status();
      expect(supervisor.log).toMatch(
        new RegExp(`^${project.env["HOME"]}/\\.local/state/kfwd/[0-9a-f]{16}/kfwd\\.log$`),
      );
      expect(statSync(supervisor.log).size).toBeGreaterThan(0);
    });

    test("a relative KUBECONFIG means the same to the supervisor", async () => {
      await using project = await Project.create({ file: fileOf(namespace, forwards) });
      await project.write(await readFile(world.kubeconfig("admin"), "utf8"), "here.kubeconfig");
      const env = { KUBECONFIG: "here.kubeconfig" };
      expect(await project.start(["up", "--wait"], { env }).ended).toMatchObject({ status: 0 });
      await rm(join(project.folder, "here.kubeconfig"));
    });
  });

  /** The pid of the supervisor that an `up` is starting. */
  async function supervisorOf(project: Project): Promise<number> {
    for (;;) {
      const found = project.processes().find((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("supervisor.js");
        } catch {
          return false; // it has ended
        }
      });
      if (found !== undefined) return found;
      await sleepFor(2);
    }
  }
});
