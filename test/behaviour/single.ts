import { beforeAll, describe, expect, test, vi } from "vitest";
import { closing, dial, exchange, expectEcho, httpGet, within } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import type { Project } from "../rig/project.ts";
import { UdpAsker } from "../rig/udpclient.ts";
import { bringUp, fileOf, portsOf } from "./stage.ts";
import type { World } from "./world.ts";

const PATIENCE = { timeout: 60_000 };

/** Single forwards: stopped, started, begun anew, taken down, while the others stay as they are. */
export function describeSingle(world: () => World): void {
  describe.concurrent("one forward at a time", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "app");
      const port = { name: "u7000", port: 7000, targetPort: 7000, protocol: "UDP" } as const;
      await world().createService(namespace, "udp", { selects: "app", ports: [port] });
    });

    const echo = { target: "svc/app", port: 7000, local: "auto" };
    const web = { target: "svc/app", port: "http", local: "auto" };

    const states = async (project: Project): Promise<readonly string[]> =>
      (await project.status()).entries.map(({ name, state }) => `${name} ${state}`);

    test("a stopped one frees its port and keeps its place; the others, and their connections, go on", async () => {
      const fixed = await freePort();
      await using project = await bringUp(world(), namespace, {
        a: echo,
        b: { ...echo, local: fixed },
        c: web,
      });
      const port = await portsOf(project);
      const [toA, toB] = [await dial(port("a")), await dial(port("b"))];
      await expectEcho(toB);
      const cut = closing(toB);
      const { stderr } = await project.ok("stop", "b", "-t", "0s");
      expect(stderr).toBe("1 forward stopped: b\n");
      await within(cut);
      expect((await exchange(fixed)).end).toBe("refused");
      await expectEcho(toA);
      toA.destroy();

      const shown = await project.ok("status");
      expect(shown.stdout).toMatch(
        /^a .* ready .*\nb +localhost:\d+ +svc\/app:7000 +stopped +- +0\nc .* ready /m,
      );
      expect(await project.run("status", "b")).toMatchObject({ status: 1 });
      await project.ok("status", "a", "c");
      expect(await project.forward("b")).toMatchObject({ state: "stopped", local: [], localPort: fixed });

      expect((await project.ok("stop", "b")).stderr).toBe("stopped already: b\n");
      await project.ok("up", "-d", "--wait", "a");
      expect(await states(project)).toEqual(["a ready", "b stopped", "c ready"]);

      const started = await project.ok("start", "b", "a");
      expect(started.stderr).toMatch(/^running already: a\n\S+ b (ready|waiting) /);
      await project.until("b", ({ state }) => state === "ready");
      expect(await httpGet(await project.port("c"))).toContain("app");
      expect((await exchange(fixed, "hi", { halfClose: true })).received.toString()).toBe("hi");
      expect((await project.ok("start")).stderr).toBe("running already: a, b, c\n");
    });

    test("all can be stopped: the supervisor stays, `status` ends with 3, and `up` starts them again", async () => {
      await using project = await bringUp(world(), namespace, { a: echo, b: web });
      const pid = project.supervisorPid;
      const before = await portsOf(project);
      const stopped = await project.ok("stop", "--json");
      expect(JSON.parse(stopped.stdout)).toEqual({
        schema: "kfwd.stop/1",
        stopped: ["a", "b"],
        unchanged: [],
      });
      expect(await project.run("status", "--names")).toMatchObject({ status: 3, stdout: "a\nb\n" });
      await project.ok("up", "--wait");
      expect(project.supervisorPid).toBe(pid);
      await project.ok("status");
      await project.ok("stop");
      const { stdout } = await project.ok("start", "--json");
      expect(JSON.parse(stdout)).toMatchObject({
        schema: "kfwd.start/1",
        started: ["a", "b"],
        unchanged: [],
        entries: [{ name: "a" }, { name: "b" }],
      });
      const after = await portsOf(project);
      expect([after("a"), after("b")]).toEqual([before("a"), before("b")]); // `local: auto` keeps what it had
      expect(project.supervisorPid).toBe(pid);
    });

    test("a restart keeps the port, resets connections, and reads no file", async () => {
      await using project = await bringUp(world(), namespace, { a: echo, b: web });
      const port = await portsOf(project);
      const socket = await dial(port("a"));
      await expectEcho(socket);
      const cut = closing(socket);
      await project.write(fileOf(namespace, { a: { ...echo, port: 7999 } }));
      const { stderr } = await project.ok("restart", "a");
      expect(stderr).toMatch(/^\S+ a ready /m);
      await within(cut);
      const again = await dial(port("a"));
      await expectEcho(again);
      again.destroy();
      expect(await project.forward("a")).toMatchObject({ targetText: "svc/app:7000", restarts: 1 });
      expect((await project.forward("b")).restarts).toBe(0);
      await project.ok("stop", "a");
      const { stdout } = await project.ok("restart", "--json");
      expect(JSON.parse(stdout)).toMatchObject({ schema: "kfwd.restart/1", restarted: ["b"] });
      expect((await project.ok("restart", "a")).stderr).toMatch(/ a (ready|waiting) /);
    });

    test("globs stand for the forwards that they match, also for `up`, `down`, `status`, `logs` and `events`", async () => {
      await using project = await bringUp(world(), namespace, { db: echo, "db-copy": echo, web });
      expect((await project.ok("stop", "db*")).stderr).toBe("2 forwards stopped: db, db-copy\n");
      expect((await project.ok("status", "w*", "--names")).stdout).toBe("web\n");
      await project.ok("up", "-d", "--wait", "*copy");
      expect(await states(project)).toEqual(["db stopped", "db-copy ready", "web ready"]);
      await project.ok("start", "d?");
      await project.until("db", ({ state }) => state === "ready");
      const logs = await project.ok("logs", "--json", "*-copy");
      const logged = logs.stdout
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { forward: string }).forward);
      expect(new Set(logged)).toEqual(new Set(["db-copy"]));
      expect((await project.ok("down", "db*")).stderr).toBe("2 forwards stopped\n");
      expect(await states(project)).toEqual(["web ready"]);
      await project.start(["events", "--since", "1h", "db"]).says(/"forward":"db"/);
    });

    test("the relay's pod goes with the last forward that is stopped, and comes back with the first", async () => {
      const udp = { target: "svc/udp", port: 7000, protocol: "udp", local: "auto" };
      const own = await world().newNamespace();
      await world().deploy(own, "app");
      const port = { name: "u7000", port: 7000, targetPort: 7000, protocol: "UDP" } as const;
      await world().createService(own, "udp", { selects: "app", ports: [port] });
      await using project = await bringUp(world(), own, { dns: udp, tcp: { ...echo, via: "relay" }, web });
      const relays = async (): Promise<number> =>
        (await world().podNames(own)).filter((name) => name.startsWith("kfwd-relay")).length;
      expect(await relays()).toBe(1);
      await project.ok("stop", "dns", "-t", "0s");
      expect([await relays(), (await project.forward("dns")).relay]).toEqual([1, null]);
      await project.ok("stop", "tcp", "-t", "0s");
      await vi.waitFor(async () => expect(await relays()).toBe(0), PATIENCE);
      await project.ok("start");
      for (const name of ["dns", "tcp"])
        await project.until(name, ({ state }) => state === "ready", PATIENCE.timeout);
      expect(await relays()).toBe(1);
      await using client = await UdpAsker.open(await project.port("dns"));
      expect(String(await client.ask("hello"))).toBe("hello");
      const socket = await dial(await project.port("tcp"));
      await expectEcho(socket);
      const cut = closing(socket);
      await project.ok("restart", "dns", "tcp");
      await within(cut);
      for (const name of ["dns", "tcp"])
        await project.until(name, ({ state }) => state === "ready", PATIENCE.timeout);
      expect(String(await client.ask("again"))).toBe("again");
      expect(await relays()).toBe(1);
    });
  });
}
