import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { closing, dial, exchange, expectEcho, httpGet, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { freePort } from "../rig/freeport.ts";
import { bringUp, fileOf, portsOf, projectOf } from "./stage.ts";
import type { World } from "./world.ts";

const CROWD = 16;

const PATIENCE = { timeout: 15_000 };

/** The supervisor: changed by `up`, killed, frozen, raced for, asked to end. */
export function describeLife(world: () => World): void {
  describe.concurrent("life", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "app");
    });

    const echo = (local: number | "auto" = "auto") => ({ target: "svc/app", port: 7000, local });
    const web = (local: number | "auto" = "auto") => ({ target: "svc/app", port: "http", local });

    describe("a second `up`", () => {
      test("of the same file changes nothing: same supervisor, same ports, connections go on", async () => {
        await using project = await bringUp(world(), namespace, { echo: echo(), web: web() });
        const [pid, before] = [project.supervisorPid, await project.status()];
        const socket = await dial((await portsOf(project))("echo"));
        await expectEcho(socket);
        await project.ok("up", "-d");
        await project.ok("up", "--wait");
        await expectEcho(socket);
        socket.destroy();
        expect(project.supervisorPid).toBe(pid);
        const after = await project.status();
        expect(after.entries.map(({ name, local, since }) => ({ name, local, since }))).toEqual(
          before.entries.map(({ name, local, since }) => ({ name, local, since })),
        );
      });

      test("touches what has changed, and nothing else", async () => {
        const [changing, leaving] = await Promise.all([freePort(), freePort()]);
        const forwards = { kept: echo(), changed: echo(changing), removed: echo(leaving), described: echo() };
        await using project = await bringUp(world(), namespace, forwards);
        const port = await portsOf(project);
        const connect = async (name: string) => {
          const socket = await dial(port(name));
          await expectEcho(socket);
          return { socket, ended: closing(socket) };
        };
        const [kept, changed, removed, described] = await Promise.all(Object.keys(forwards).map(connect));
        const { kept: same, described: other } = forwards;
        await project.write(
          fileOf(namespace, {
            kept: same,
            changed: { target: "svc/app", port: 7001, local: changing },
            described: { ...other, description: "It echoes" },
            added: web(),
          }),
        );
        expect((await project.status()) as { configChanged?: boolean }).toMatchObject({
          configChanged: true,
        });
        const { stderr } = await project.ok("up", "--wait");
        expect(stderr).toContain("removed removed: it is not in the file any more");

        await within(Promise.all([changed?.ended, removed?.ended]));
        for (const one of [kept, described]) {
          if (one) await expectEcho(one.socket);
          one?.socket.destroy();
        }
        const { entries } = await project.status();
        expect(entries.map(({ name, state }) => [name, state])).toEqual([
          ["kept", "ready"],
          ["changed", "ready"],
          ["described", "ready"],
          ["added", "ready"],
        ]);
        expect(entries[2]?.description).toBe("It echoes");
        expect((await exchange(leaving)).end).toBe("refused");
        const socket = await dial(changing);
        expect(String((await within(once(socket, "data")))[0])).toMatch(/^220 app-/);
        socket.destroy();
        expect(await httpGet(await project.port("added"))).toMatch(/^hello/);
      });

      test("of a file with a mistake changes nothing", async () => {
        await using project = await bringUp(world(), namespace, { echo: echo() });
        const socket = await dial(await project.port("echo"));
        await project.write("forwards: { echo: nonsense }");
        expect((await project.run("up", "-d")).status).toBe(2);
        await expectEcho(socket);
        socket.destroy();
      });
    });

    describe("a supervisor that was killed", () => {
      test("has freed its ports; `status` says so and exits 3; `up` starts another on the same ports", async () => {
        const port = await freePort();
        await using project = await bringUp(world(), namespace, { echo: echo(port) });
        const pid = await kill(project);
        // The kernel closes the sockets of a process a little later than it forgets what it was.
        await vi.waitFor(async () => expect((await exchange(port)).end).toBe("refused"), PATIENCE);

        const { status, stderr } = await project.run("status");
        expect(status).toBe(3);
        expect(stderr).toMatch(
          new RegExp(`project "shop" is not running: its supervisor \\(pid ${pid}\\) was killed or crashed`),
        );
        expect(stderr).toContain("`kfwd up` starts it again");

        const again = await project.ok("up", "--wait");
        expect(again.stderr).toContain(`removed the lock of pid ${pid}, which was killed or crashed`);
        const socket = await dial(port);
        await expectEcho(socket);
        socket.destroy();
      });

      test("is cleaned up after by `down`", async () => {
        await using project = await bringUp(world(), namespace, { echo: echo() });
        const pid = await kill(project);
        const { lockPath } = project;
        const { stderr } = await project.ok("down");
        expect(stderr).toContain(`nothing was running any more; removed the lock of pid ${pid}`);
        expect(existsSync(lockPath)).toBe(false);
        expect((await project.run("status")).status).toBe(3);
        await project.ok("down");
      });

      /** Kills the supervisor and waits until it is gone. */
      async function kill(project: Project): Promise<number> {
        const pid = project.supervisorPid;
        process.kill(pid, "SIGKILL");
        await untilNothingRuns(project);
        return pid;
      }
    });

    test("a supervisor that is frozen: `status` exits 3 within seconds, `down --force` ends it", async () => {
      await using project = await bringUp(world(), namespace, { echo: echo() });
      const pid = project.supervisorPid;
      process.kill(pid, "SIGSTOP");
      const startedMs = performance.now();
      const { status, stderr } = await project.run("status");
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      expect(status).toBe(3);
      expect(stderr).toContain(`the supervisor of project "shop" (pid ${pid}) does not answer`);
      expect(stderr).toContain("kfwd down --force");
      await project.ok("down", "--force");
      await untilNothingRuns(project);
    });

    describe("commands at the same moment", () => {
      test.each([2, CROWD])("%i times `up -d`: one supervisor, and every one is content", async (count) => {
        await using project = await projectOf(world(), namespace, { echo: echo(), web: web() });
        const all = await Promise.all(Array.from({ length: count }, () => project.run("up", "-d")));
        expect(all.map(({ status, stderr }) => (status === 0 ? "ok" : stderr))).toEqual(all.map(() => "ok"));
        await vi.waitFor(() => expect(project.processes()).toEqual([project.supervisorPid]), PATIENCE);
        await project.until("echo", ({ state }) => state === "ready");
      });

      test("`up -d` and `down`: what is left is whole, and the next command is obeyed", async () => {
        await using project = await projectOf(world(), namespace, { echo: echo() });
        for (let round = 0; round < 3; round++) {
          const [up, down] = await Promise.all([project.run("up", "-d"), project.run("down")]);
          expect(down).toMatchObject({ status: 0 });
          // An `up` whose supervisor is taken away under it may say so.
          if (up.status !== 0) expect(up).toMatchObject({ status: 3 });
          const { status } = await project.run("status");
          expect([0, 1, 3]).toContain(status);
          await vi.waitFor(() => expect(project.processes()).toHaveLength(status === 3 ? 0 : 1), PATIENCE);
        }
        await project.ok("up", "--wait");
        await project.ok("down");
        await untilNothingRuns(project);
      });
    });

    describe("`up` in the foreground", () => {
      test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
        "%s ends it cleanly, with exit status 0",
        async (signal) => {
          await using project = await projectOf(world(), namespace, { echo: echo() });
          const up = project.start(["up"]);
          await up.says(/kfwd: ready 1\/1\n/);
          const port = await project.port("echo");
          const { lockPath } = project;
          up.kill(signal);
          const ended = await within(up.ended);
          expect(ended).toMatchObject({ status: 0, signal: null });
          expect(ended.stderr).toContain("1 forward stopped");
          expect(existsSync(lockPath)).toBe(false);
          expect((await exchange(port)).end).toBe("refused");
          expect((await project.run("status")).status).toBe(3);
        },
      );

      test("a signal lets connections go on; a second one does not wait for them", async () => {
        const port = await freePort();
        await using project = await projectOf(world(), namespace, { echo: echo(port) });
        const up = project.start(["up", "-t", "60s"]);
        await up.says(/kfwd: ready 1\/1\n/);
        const socket = await dial(port);
        await expectEcho(socket);
        const ended = closing(socket);
        up.kill("SIGINT");
        await up.says(/draining 1 connection,/);
        await expectEcho(socket);
        expect((await exchange(port)).end).toBe("refused");
        // Two signals within 50 ms count as one, so it is told until it has heard.
        const again = setInterval(() => up.kill("SIGINT"), 60);
        expect(await within(up.ended)).toMatchObject({ status: 130 });
        clearInterval(again);
        await within(ended);
      });

      test("a signal that lets connections go on ends when the last of them does", async () => {
        await using project = await projectOf(world(), namespace, { echo: echo() });
        const up = project.start(["up", "-t", "60s"]);
        await up.says(/kfwd: ready 1\/1\n/);
        const socket = await dial(await project.port("echo"));
        await expectEcho(socket);
        up.kill("SIGTERM");
        await up.says(/draining 1 connection,/);
        socket.destroy();
        expect(await within(up.ended)).toMatchObject({ status: 0 });
      });

      test.each([
        ["SIGINT", 130],
        ["SIGTERM", 143],
      ] as const)("%s before anything is ready ends it with %i", async (signal, expected) => {
        const silent = createServer().listen(0, "127.0.0.1");
        await once(silent, "listening");
        const address = silent.address();
        const port = address !== null && typeof address === "object" ? address.port : 0;
        await using project = await projectOf(world(), namespace, { echo: echo() });
        const kubeconfig = join(project.root, "silent");
        await writeFile(kubeconfig, kubeconfigTo(`http://127.0.0.1:${port}`));
        const asked = once(silent, "connection");
        const up = project.start(["up"], { env: { KUBECONFIG: kubeconfig } });
        await within(asked);
        up.kill(signal);
        expect(await within(up.ended)).toMatchObject({ status: expected });
        expect((await project.run("status")).status).toBe(3);
        silent.close();
      });

      test("leaves a supervisor that ran before as it was", async () => {
        await using project = await bringUp(world(), namespace, { echo: echo() });
        const pid = project.supervisorPid;
        const up = project.start(["up"]);
        await up.says(/kfwd: ready 1\/1\n/);
        up.kill("SIGINT");
        const ended = await within(up.ended);
        expect(ended.status).toBe(0);
        expect(ended.stderr).toContain("the forwards stay up");
        expect(project.supervisorPid).toBe(pid);
        expect((await project.forward("echo")).state).toBe("ready");
      });
    });

    test("a detached supervisor ends at SIGTERM as at `down`", async () => {
      await using project = await bringUp(world(), namespace, { echo: echo() });
      const { supervisorPid: pid, lockPath } = project;
      process.kill(pid, "SIGTERM");
      await untilNothingRuns(project);
      expect(existsSync(lockPath)).toBe(false);
    });

    test("a project whose file is gone is still found, and ended", async () => {
      await using project = await bringUp(world(), namespace, { echo: echo() });
      await rename(join(project.folder, "forwards.yaml"), join(project.root, "elsewhere.yaml"));
      expect((await project.forward("echo")).state).toBe("ready");
      await project.ok("down");
      await untilNothingRuns(project);
    });

    let lasting: Project;
    beforeAll(async () => {
      lasting = await bringUp(world(), namespace, { echo: echo() });
    });
    afterAll(() => lasting[Symbol.asyncDispose]());

    test("`down` lets connections go on for as long as it is told, then resets them", async () => {
      const port = await lasting.port("echo");
      const socket = await dial(port);
      await expectEcho(socket);
      const ended = closing(socket);
      const startedMs = performance.now();
      await lasting.ok("down", "-t", "1s");
      expect(performance.now() - startedMs).toBeGreaterThan(990);
      await within(ended);
    });
  });
}

/** A process that has just ended is there for a moment still. */
async function untilNothingRuns(project: Project): Promise<void> {
  await vi.waitFor(() => expect(project.processes()).toEqual([]), PATIENCE);
}

function kubeconfigTo(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "silent",
    contexts: [{ name: "silent", context: { cluster: "silent", user: "silent" } }],
    clusters: [{ name: "silent", cluster: { server } }],
    users: [{ name: "silent", user: { token: "none" } }],
  });
}
