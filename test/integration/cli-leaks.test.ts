import { existsSync, readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fdsOf, portsOf, projectOf } from "../behaviour/stage.ts";
import { ask, closing, dial, exchange, expectEcho, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";

/** At once; each has a socket of its own at the supervisor. */
const CROWD = 60;

/** The first that a sandbox gives. */
const NAMESPACE = "shop-1";

/** More than there are connections kept ready, so that one left behind each time is seen. */
const ROUNDS = 4;

/** What a supervisor holds after much use, and what is left when it has ended. */
describe.concurrent("after much use", () => {
  const forwards = {
    echo: { target: "svc/app", port: 7000, local: "auto" },
    greeter: { target: "svc/app", port: 7001, local: "auto" },
  };

  /** Each test counts what its own sandbox has open. */
  async function stage(): Promise<SandboxWorld> {
    const world = await SandboxWorld.start();
    await world.newNamespace();
    await world.deploy(NAMESPACE, "app");
    return world;
  }

  /** Clients that come, talk, and leave. */
  async function crowd(port: number, leave: (socket: Socket, index: number) => void): Promise<void> {
    const sockets = await Promise.all(Array.from({ length: CROWD }, () => dial(port)));
    await Promise.all(sockets.map(expectEcho));
    const ended = sockets.map(closing);
    sockets.forEach(leave);
    await within(Promise.all(ended));
  }

  const rudely = (socket: Socket, index: number): void => {
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  };

  /** The pod hears of it only after it has been quiet for seconds. */
  const halfClosing = (socket: Socket): void => void socket.end();

  const none = { timeout: 20_000, interval: 100 };

  test.runIf(process.platform === "linux")(
    "the supervisor holds as many file descriptors as before, and counts no connection",
    async () => {
      await using world = await stage();
      await using project = await bringUp(world, NAMESPACE, forwards);
      const port = await portsOf(project);
      const pid = project.supervisorPid;
      await crowd(port("echo"), rudely); // what is kept ready from now on is open
      const before = await settledFds(project, pid);
      const slow = crowd(port("echo"), halfClosing);
      for (let round = 0; round < ROUNDS; round++) await crowd(port("echo"), rudely);
      for (let round = 0; round < ROUNDS; round++) await project.ok("up", "-d");
      await slow;
      await vi.waitFor(() => expect(fdsOf(pid)).toBeLessThanOrEqual(before), none);
      const { traffic } = await project.forward("echo");
      expect(traffic).toMatchObject({ connections: 0, held: 0, served: (ROUNDS + 2) * CROWD });
    },
  );

  test.runIf(process.platform === "linux")(
    "forwards that came and went leave no file descriptor, no watch and no upgraded connection",
    async () => {
      await using world = await stage();
      await using project = await bringUp(world, NAMESPACE, forwards);
      const pid = project.supervisorPid;
      const comeAndGo = async (): Promise<void> => {
        await project.ok("up", "--wait");
        expect(await ask(await project.port("greeter"))).toMatch(/^220 /);
        await project.ok("down", "-t", "0", "greeter");
      };
      await comeAndGo(); // what is kept ready from now on is open
      const before = await settledFds(project, pid);
      const { upgrades } = world.sandbox.open;
      for (let round = 0; round < ROUNDS; round++) await comeAndGo();
      await vi.waitFor(() => {
        expect(fdsOf(pid)).toBeLessThanOrEqual(before);
        expect(world.sandbox.open).toMatchObject({ watches: 2, upgrades, streams: 0 }); // of pods and Services
      }, none);
    },
  );

  test("nothing is left of a project that went up and down: no process, port, socket, lock or folder", async () => {
    await using world = await stage();
    await using project = await projectOf(world, NAMESPACE, forwards);
    for (let round = 0; round < 2; round++) {
      await project.ok("up", "--wait");
      const folder = dirname(project.lockPath);
      await vi.waitFor(() => {
        const names = readdirSync(folder).filter((name) => !name.endsWith(".sock"));
        expect(names).toEqual(["lock"]); // it is written anew, beside itself, right after the start
      });
      const port = await project.port("echo");
      await crowd(port, rudely);
      await project.ok("down", "-t", "0");
      expect(existsSync(folder)).toBe(false);
      expect(readdirSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toEqual([]);
      expect((await exchange(port)).end).toBe("refused");
      await vi.waitFor(() => expect(project.processes()).toEqual([]), none);
    }
    await vi.waitFor(() =>
      expect(Object.values(world.sandbox.open).every((count) => count === 0)).toBe(true),
    );
  });
});

/** The number of open file descriptors once it has not changed for a few looks. */
async function settledFds(project: Project, pid: number): Promise<number> {
  let last = 0;
  let same = 0;
  while (same < 3) {
    await project.status(); // takes a tenth of a second, and has a socket of its own
    const now = fdsOf(pid);
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}
