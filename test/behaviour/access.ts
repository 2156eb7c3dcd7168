import { once } from "node:events";
import { createServer } from "node:net";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { dial, exchange, expectEcho, httpGet } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { Project } from "../rig/project.ts";
import { fileOf, projectOf } from "./stage.ts";
import type { World } from "./world.ts";

/** What a user hears whose kubeconfig, rights or way to the API server is not as it should be. */
export function describeAccess(world: () => World): void {
  describe.concurrent("access", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "app");
    });

    const FORWARDS = {
      web: { target: "svc/app", port: "http", local: "auto" },
      echo: { target: "deploy/app", port: 7000, local: "auto" },
    };
    const projectAs = (kubeconfig: string): Promise<Project> =>
      Project.create({ kubeconfig, file: fileOf(namespace, FORWARDS) });

    test("a user without rights: who may not do what and where, exit 4 at once", async () => {
      await using project = await projectAs(world().kubeconfig("nobody"));
      const startedMs = performance.now();
      const { status, stderr } = await project.run("up", "--wait");
      expect(status).toBe(4);
      expect(performance.now() - startedMs).toBeLessThan(10_000);
      expect(stderr).toContain("kfwd: degraded 0/2");
      for (const name of ["web", "echo"]) {
        const { state, reason } = await project.forward(name);
        expect(state).toBe("waiting");
        expect(reason).toMatchObject({ code: "Forbidden", kind: "denied" });
        const what = name === "web" ? "(pods|services)" : "(pods|deployments)";
        expect(reason?.message).toMatch(
          new RegExp(
            `^user "${world().nobody}" may not list ${what} in namespace "${namespace}" \\(context "${world().context}"\\)$`,
          ),
        );
      }
      // Whoever comes is held, and not given an empty answer when there is none.
      const client = exchange(await project.port("web"), "anyone?\n");
      await project.until("web", ({ traffic }) => traffic.held === 1);
      await project.ok("down");
      expect(await client).toEqual({ end: "reset", received: Buffer.alloc(0) });
    });

    test("a user who may look and not forward: the right that is missing is named, exit 4", async () => {
      await using project = await projectAs(await world().viewer(namespace));
      const { status } = await project.run("up", "--wait");
      expect(status).toBe(4);
      const { state, reason } = await project.forward("web");
      expect(state).toBe("waiting");
      expect(reason?.code).toBe("Forbidden");
      expect(reason?.message).toMatch(
        new RegExp(
          `may not create pods/portforward in namespace "${namespace}" \\(context "${world().context}"\\)$`,
        ),
      );
    });

    test("a context that is not there: the ones that are get named, exit 4, nothing starts", async () => {
      await using project = await projectOf(world(), namespace, FORWARDS);
      const { status, stderr } = await project.run("up", "-d", "-C", "staging");
      expect(status).toBe(4);
      expect(stderr).toMatch(/^error: .*"staging"/m);
      expect(stderr).toContain(world().context);
      expect((await project.run("status")).status).toBe(3);
    });

    test("a context of one forward that is not there: which forward, and its place in the file", async () => {
      const lost = { ...FORWARDS.echo, context: "staging" };
      const file = `namespace: ${namespace}\nforwards:\n  echo: ${JSON.stringify(FORWARDS.echo)}\n  lost: ${JSON.stringify(lost)}\n`;
      await using project = await Project.create({ kubeconfig: world().kubeconfig("admin"), file });
      const { status, stderr } = await project.run("up", "-d");
      expect(status).toBe(4);
      expect(stderr).toMatch(
        /^error: forward "lost": context "staging" not found .*\n {2}forwards\.yaml:4:3\nhint: /,
      );
      const [record] = (await project.run("up", "-d", "--json")).stderr.trimEnd().split("\n");
      expect(JSON.parse(record ?? "")).toMatchObject({
        error: { code: "KFWD_CONTEXT_UNKNOWN", file: "forwards.yaml", line: 4, column: 3 },
      });
    });

    test("no kubeconfig at all: exit 4, nothing starts", async () => {
      await using project = await Project.create({ file: fileOf(namespace, FORWARDS) });
      const { status, stderr } = await project.run("up", "-d");
      expect(status).toBe(4);
      expect(stderr).toMatch(/^error: .*kubeconfig/m);
      expect(stderr).toMatch(/^hint: /m);
      expect((await project.run("status")).status).toBe(3);
    });

    test("a kubeconfig that is no kubeconfig: exit 4 with its path", async () => {
      await using project = await projectOf(world(), namespace, FORWARDS);
      const path = join(project.root, "broken");
      await writeFile(path, "clusters: 7\n");
      const { status, stderr } = await project.run("up", "-d", "--kubeconfig", path);
      expect(status).toBe(4);
      expect(stderr).toContain(path);
      expect((await project.run("status")).status).toBe(3);
    });

    test("a server that refuses: why, exit 4, and once it is there all is well", async () => {
      const { kubeconfig, proxy } = await world().behindProxy();
      proxy.close();
      await using project = await projectAs(kubeconfig);
      const { status, stderr } = await project.run("up", "--wait", "--wait-timeout", "1s");
      expect(status).toBe(4);
      expect(stderr).toContain(
        "2 of 2 not ready after 1 s: web (Unreachable), echo (Unreachable); all stay up",
      );
      const { state, reason } = await project.forward("web");
      expect(state).toBe("waiting");
      expect(reason?.message).toBe(
        `cannot reach https://127.0.0.1:${proxy.port} (context "${world().context}"): connection refused`,
      );
      await proxy.open();
      await project.ok("up", "--wait");
      expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);
    });

    test("a server that speaks no TLS: why, exit 4", async () => {
      const plain = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      const port = await freePort();
      await once(plain.listen(port, "127.0.0.1"), "listening");
      const text = await readFile((await world().behindProxy()).kubeconfig, "utf8");
      await using project = await projectOf(world(), namespace, FORWARDS);
      const path = join(project.root, "plain");
      await writeFile(path, text.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`));
      const { status } = await project.run("up", "--wait", "--wait-timeout", "1s", "--kubeconfig", path);
      expect(status).toBe(4);
      expect((await project.forward("web")).reason?.message).toMatch(/: the TLS handshake failed \(\w+\)$/);
      plain.close();
    });

    test("an API server that goes away: clients are reset, status says why, and all comes back by itself", async () => {
      const { kubeconfig, proxy } = await world().behindProxy();
      await using project = await projectAs(kubeconfig);
      await project.ok("up", "--wait");
      const before = await project.status();
      const echo = await dial(await project.port("echo"));
      await expectEcho(echo);
      const ended = new Promise<string>((resolve) => {
        echo.on("error", ({ message }) => resolve(message)).on("end", () => resolve("orderly end"));
      });

      proxy.close();
      expect(await ended).toMatch(/ECONNRESET/);
      const { reason } = await project.until("web", ({ state }) => state === "waiting", 5_000);
      expect(reason).toMatchObject({ code: "Unreachable", kind: "unreachable" });
      const held = httpGet(await project.port("web"));
      await project.until("web", ({ traffic }) => traffic.held === 1);

      await proxy.open();
      expect(await held).toMatch(/^hello from app-/);
      for (const name of ["web", "echo"]) await project.until(name, ({ state }) => state === "ready");
      const after = await project.status();
      expect(after.entries.map(({ local }) => local)).toEqual(before.entries.map(({ local }) => local));
      expect(after.supervisor.pid).toBe(before.supervisor.pid);
    });

    test("connections that go silent: clients are reset in 16 s, watches notice as soon, and all goes on", async () => {
      const { kubeconfig, proxy } = await world().behindProxy();
      await using project = await projectAs(kubeconfig);
      await project.ok("up", "--wait");
      const echo = await dial(await project.port("echo"));
      await expectEcho(echo);
      const ended = new Promise<string>((resolve) => {
        echo.on("error", ({ message }) => resolve(message)).on("end", () => resolve("orderly end"));
      });

      const startedMs = performance.now();
      proxy.forget();
      expect(await ended).toMatch(/ECONNRESET/);
      expect(performance.now() - startedMs).toBeLessThan(16_000 + BUSY_MS);
      expect((await project.forward("echo")).lastError?.message).toMatch(/: no sign of life for 13 s$/);
      expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);

      const [old] = await world().podsOf(namespace, "app");
      await world().deletePod(namespace, old?.name ?? "");
      await project.until("web", ({ state, pod }) => state === "ready" && pod !== old?.name);
    });
  });
}

/** What a busy machine may add to a deadline. */
const BUSY_MS = 2_000;
