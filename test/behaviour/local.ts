import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exchange, httpGet } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { bringUp, portsOf, projectOf } from "./stage.ts";
import type { World } from "./world.ts";

const HAS_IPV6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

/** Local ports: taken, named twice, drawn, and on which addresses. */
export function describeLocal(world: () => World): void {
  describe("local ports", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "web");
    });

    const web = (local: number | string, more: object = {}) => ({
      target: "svc/web",
      port: "http",
      local,
      ...more,
    });

    describe("a port that another program has", () => {
      let taken: Server;
      let port: number;
      beforeAll(async () => {
        port = await freePort();
        taken = createServer().listen(port, "127.0.0.1");
        await once(taken, "listening");
      });
      afterAll(() => void taken.close());

      test.each([["--wait"], ["-d"]])(
        "`up %s` names the program, brings up the others, and exits 5",
        async (flag) => {
          await using project = await projectOf(world(), namespace, { busy: web(port), free: web("auto") });
          const { status, stderr } = await project.run("up", flag);
          expect(status).toBe(5);
          expect(stderr).toContain(`it is in use by node (pid ${process.pid})`);
          expect(stderr).toContain("kfwd: degraded 1/2");

          const busy = await project.forward("busy");
          expect(busy).toMatchObject({ state: "failed", localPort: port, local: [] });
          expect(busy.reason).toEqual({
            code: "PortBusy",
            kind: "local",
            message: `cannot bind localhost:${port} for forward "busy": it is in use by node (pid ${process.pid})`,
            hint: `stop it, or set another \`local:\` for "busy"`,
          });
          expect(await httpGet(await project.port("free"))).toMatch(/^hello from web-/);
        },
      );

      test("is tried again by the next `up`", async () => {
        const mine = await freePort();
        const holder = createServer().listen(mine, "127.0.0.1");
        await once(holder, "listening");
        await using project = await projectOf(world(), namespace, { busy: web(mine) });
        expect((await project.run("up", "-d")).status).toBe(5);
        holder.close();
        await once(holder, "close");
        await project.ok("up", "--wait");
        expect(await httpGet(mine)).toMatch(/^hello from web-/);
      });
    });

    test("a port that another project of kfwd has: the project and the forward are named", async () => {
      const port = await freePort();
      await using first = await bringUp(world(), namespace, { api: web(port) });
      const pid = first.supervisorPid;
      await using second = await projectOf(world(), namespace, { backend: web(port) });
      // Both projects of one user share a runtime folder; the rig gives each one of its own.
      const env = { KFWD_RUNTIME_DIR: first.env["KFWD_RUNTIME_DIR"] ?? "" };
      const { status, stderr } = await second.start(["up", "-d", "-p", "other"], { env }).ended;
      expect(status).toBe(5);
      expect(stderr.replaceAll('\\"', '"')).toContain(
        `it is in use by kfwd project "shop" (forward "api", pid ${pid})`,
      );
      await second.start(["down", "-p", "other"], { env }).ended;
    });

    test.each([
      ["the same port twice", (port: number) => [web(port), web(port)]],
      [
        "every address and one of them",
        (port: number) => [web(port, { bind: "0.0.0.0" }), web(port, { bind: "127.0.0.1" })],
      ],
      ["localhost and ::1", (port: number) => [web(port), web(port, { bind: "::1" })]],
    ])("%s in one file: nothing starts, exit 2", async (_, forwards) => {
      const port = await freePort();
      const [first, second] = forwards(port);
      await using project = await projectOf(world(), namespace, { first: first ?? "", second: second ?? "" });
      const { status, stderr } = await project.run("up", "-d");
      expect(status).toBe(2);
      expect(stderr).toMatch(/"first" and "second" both use/);
      expect(existsSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toBe(false);
      expect((await exchange(port)).end).toBe("refused");
    });

    test.runIf(process.platform === "linux")("one port on two addresses", async () => {
      const port = await freePort();
      await using project = await bringUp(world(), namespace, {
        first: web(port, { bind: "127.0.0.1" }),
        second: { ...web(port, { bind: "127.0.0.2" }), target: "deploy/web", port: 8080 },
      });
      expect((await project.forward("second")).local).toEqual([{ address: "127.0.0.2", port }]);
      expect(await httpGet(port, "127.0.0.1")).toMatch(/^hello/);
      expect(await httpGet(port, "127.0.0.2")).toMatch(/^hello/);
      if (HAS_IPV6) expect((await exchange(port, "", { host: "::1" })).end).toBe("refused");
    });

    test("`auto` draws a port, shows it, and keeps it over a new pod and another `up`", async () => {
      await world().deploy(namespace, "drawn");
      await using project = await bringUp(world(), namespace, {
        drawn: { target: "svc/drawn", port: "http", local: "auto" },
      });
      const before = await project.forward("drawn");
      expect(before.localPort).toBeGreaterThan(1023);
      expect(new Set(before.local.map(({ port }) => port))).toEqual(new Set([before.localPort]));
      expect((await project.ok("status")).stdout).toContain(String(before.localPort));

      const [pod] = await world().podsOf(namespace, "drawn");
      await world().deletePod(namespace, pod?.name ?? "");
      await project.until("drawn", ({ state, pod: now }) => state === "ready" && now !== pod?.name);
      await project.ok("up", "--wait");
      expect((await project.forward("drawn")).local).toEqual(before.local);
      expect(await httpGet(before.localPort ?? 0)).toMatch(/^hello from drawn-/);
    });

    test.runIf(HAS_IPV6)("localhost is both 127.0.0.1 and ::1", async () => {
      await using project = await bringUp(world(), namespace, { web: web("auto") });
      const port = (await portsOf(project))("web");
      expect((await project.forward("web")).local).toEqual([
        { address: "127.0.0.1", port },
        { address: "::1", port },
      ]);
      for (const host of ["127.0.0.1", "::1", "localhost"]) {
        expect(await httpGet(port, host)).toMatch(/^hello from web-/);
      }
    });
  });
}
