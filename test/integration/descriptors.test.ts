import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fdsOf, portsOf, projectOf } from "../behaviour/stage.ts";
import { ask, closing, dial, expectEcho, within } from "../rig/client.ts";
import { CLI, type Project } from "../rig/project.ts";

/** Of the supervisor; a quarter of them is not for clients. */
const DESCRIPTORS = 256;
const ROOM = 192;

/** More than there is room for. */
const CROWD = 300;

const PATIENCE = { timeout: 15_000 };

const forwards = {
  greeter: { target: "svc/app", port: 7001, local: "auto" },
  other: { target: "svc/other", port: 7001, local: "auto" },
};

describe.runIf(process.platform === "linux")("a supervisor that may open few files", () => {
  test("serves as many clients as fit, resets the others, says so, and goes on", async () => {
    await using world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await Promise.all(["app", "other"].map((name) => world.deploy(namespace, name)));
    await using project = await projectOf(world, namespace, forwards);
    await up(project, DESCRIPTORS);
    const port = await portsOf(project);
    const pid = project.supervisorPid;

    const { served, reset, ended } = await crowd(port("greeter"));
    expect({ ended, all: served.length + reset }).toEqual({ ended: 0, all: CROWD });
    expect(served.length).toBeGreaterThan(ROOM / 2);
    expect(fdsOf(pid)).toBeLessThan(DESCRIPTORS - 20);

    // What is not for clients: `status`, and the way to a pod that has had no client yet.
    const full = await project.forward("greeter");
    expect(full.state).toBe("ready");
    expect(full.traffic).toMatchObject({ connections: served.length, refused: reset });
    expect(full.lastError?.message).toMatch(
      new RegExp(`^too many connections: \\d+ of this process's ${DESCRIPTORS} file descriptors are in use`),
    );
    expect((await project.ok("status")).stdout).toContain("greeter: ready, but a connection failed at ");
    for (const socket of served) await expectEcho(socket);

    // One that leaves makes room for one, on whichever forward.
    const [leaver, ...others] = served;
    if (!leaver) throw new Error("nobody was served");
    leaver.resetAndDestroy();
    await vi.waitFor(async () => {
      const { served: one } = await crowd(port("other"), 1);
      expect(one).toHaveLength(1);
      one[0]?.resetAndDestroy();
    }, PATIENCE);

    const left = others.map(closing);
    for (const socket of others) socket.destroy();
    await Promise.all(left);
    await vi.waitFor(async () => {
      const { entries } = await project.status();
      expect(entries.map(({ traffic }) => traffic.connections)).toEqual([0, 0]);
    }, PATIENCE);
    const again = await crowd(port("greeter"), ROOM / 2);
    expect(again).toMatchObject({ reset: 0, ended: 0 });
    for (const socket of again.served) socket.destroy();
  });

  test.runIf(hasPrlimit())("outlives that it may open none at all, and says what it lacked", async () => {
    await using world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await using project = await bringUp(world, namespace, { greeter: forwards.greeter });
    const pid = project.supervisorPid;
    const port = await project.port("greeter");
    const { supervisor } = await project.status();
    const [limit] = limitsOf(pid);

    limitTo(pid, 8);
    const waiting = await dial(port); // taken by the kernel, which is all that can be done
    await vi.waitFor(() => {
      world.sandbox.cutUpgrades("reset"); // again, as one may have been dialled ahead
      expect(readFileSync(supervisor.log, "utf8")).toMatch(
        /"event":"waiting",.*"reason":"cannot reach https:.*: this process has no file descriptor left"/,
      );
    }, PATIENCE);
    limitTo(pid, limit ?? "");
    await project.until("greeter", ({ state }) => state === "ready");
    expect(project.supervisorPid).toBe(pid);
    waiting.destroy();
    expect(await ask(port)).toMatch(/^220 /);
  });
});

function hasPrlimit(): boolean {
  return spawnSync("prlimit", ["--version"]).status === 0;
}

/** Soft and hard. */
function limitsOf(pid: number): readonly string[] {
  const args = ["--pid", String(pid), "--nofile", "--output=SOFT,HARD", "--noheadings"];
  return execFileSync("prlimit", args, { encoding: "utf8" }).trim().split(/\s+/);
}

function limitTo(pid: number, descriptors: number | string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${descriptors}:`]);
}

/** Brings the project up with a supervisor that may have so many descriptors. */
async function up(project: Project, descriptors: number): Promise<void> {
  const command = `ulimit -n ${descriptors}; exec "$@"`;
  const running = project.exec("sh", ["-c", command, "sh", process.execPath, CLI, "up", "--wait"]);
  const { status, stderr } = await running.ended;
  if (status !== 0) throw new Error(stderr);
}

/** Clients of a port that greets, all at once: those that were greeted, and how many were reset, or ended in order. */
async function crowd(
  port: number,
  count = CROWD,
): Promise<{ readonly served: readonly Socket[]; readonly reset: number; readonly ended: number }> {
  const served: Socket[] = [];
  let reset = 0;
  let ended = 0;
  const one = async (): Promise<void> => {
    const socket = connect({ port, host: "127.0.0.1" });
    const greeted = once(socket, "data").then(() => served.push(socket));
    const over = once(socket, "end").then(() => ended++);
    try {
      await within(Promise.race([greeted, over]));
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ECONNRESET")) throw thrown;
      reset++;
    }
    greeted.catch(() => {});
    over.catch(() => {});
    socket.on("error", () => {});
  };
  await Promise.all(Array.from({ length: count }, one));
  return { served, reset, ended };
}
