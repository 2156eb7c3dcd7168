import { once } from "node:events";
import { realpathSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf, projectOf, type Forwards } from "../behaviour/stage.ts";
import { ask, exchange, within } from "../rig/client.ts";
import { installIn, nothingRuns, program } from "../rig/library.ts";
import { CLI, type Ended, type Project, type Running } from "../rig/project.ts";

const PATIENCE_MS = 45_000;

/** `import { up } from "kfwd"` in programs of somebody else's, on the built package. */
describe.concurrent("the library", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const echo = { target: "svc/app", port: 7000, local: "auto" };
  const web = { target: "svc/app", port: "http", local: "auto" };
  const never = { target: "svc/never", port: 80, local: "auto" };

  async function projectWith(forwards: Forwards): Promise<Project> {
    const project = await projectOf(world, namespace, forwards);
    await installIn(project);
    return project;
  }

  /** Its standard error must be empty: nothing of ours prints. */
  async function ended(running: Running): Promise<Ended & { readonly lines: readonly string[] }> {
    const end = await within(running.ended, PATIENCE_MS);
    expect(end.stderr).toBe("");
    return { ...end, lines: end.stdout.split("\n").slice(0, -1) };
  }

  async function ran(project: Project, text: string): Promise<readonly string[]> {
    const { status, lines } = await ended(await program(project, text));
    expect(status).toBe(0);
    return lines;
  }

  const portSaid = ({ stdout }: Running): number => Number(/^port (\d+)$/m.exec(stdout)?.[1]);

  test("brings forwards up, and has taken them away when the block is over", async () => {
    await using project = await projectWith({ web, echo });
    const running = await program(
      project,
      `{
        await using forwards = await up();
        say(Object.keys(forwards));
        say([...forwards].map(({ name, host, isReady, status }) => [name, host, isReady, status.state]));
        say((await (await fetch(forwards.web.url)).text()).split("-")[0]);
        say(forwards.$env);
        say([forwards.web.port, forwards.web.address, forwards.$project]);
        const { entries, owners } = await forwards.$status();
        say(owners.map(({ pid, names }) => [pid === process.pid, names]));
        say(Object.keys(JSON.parse(JSON.stringify(forwards.echo))));
      }
      const files = (await import("node:fs")).readdirSync(process.env.KFWD_RUNTIME_DIR, { recursive: true });
      say(files.filter((name) => name.endsWith("lock")));`,
    );
    const { status, lines } = await ended(running);
    expect(status).toBe(0);
    await nothingRuns(project);
    const said = lines.map((line) => (line.startsWith("hello") ? line : (JSON.parse(line) as unknown)));
    const [, , , env, [port, address, name]] = said as [
      0,
      0,
      0,
      Record<string, string>,
      [number, string, string],
    ];
    expect(said.slice(0, 3)).toEqual([
      ["web", "echo"],
      [
        ["web", "127.0.0.1", true, "ready"],
        ["echo", "127.0.0.1", true, "ready"],
      ],
      "hello from app",
    ]);
    expect(env).toMatchObject({
      WEB_PORT: String(port),
      WEB_URL: `http://localhost:${port}`,
      ECHO_HOST: "127.0.0.1",
    });
    expect({ address, name }).toEqual({ address: `127.0.0.1:${port}`, name: "shop" });
    expect(said.slice(5)).toEqual([
      [[true, ["web", "echo"]]],
      ["name", "host", "port", "isReady", "status"],
      [],
    ]);
  });

  test("listens to no signal and no error, and does not keep a program that forgets it alive", async () => {
    await using project = await projectWith({ echo });
    const lines = await ran(
      project,
      `const heard = () => [...process.eventNames()].map((name) => [String(name), process.listenerCount(name)]);
      const before = JSON.stringify(heard());
      const forwards = await up();
      say(before === JSON.stringify(heard()));
      say(process.exitCode ?? "none");`,
    );
    expect(lines).toEqual(["true", "none"]);
    await nothingRuns(project);
  });

  test("waits with a program that has nothing else to wait for", async () => {
    await using project = await projectWith({ echo });
    const lines = await ran(
      project,
      `const forwards = await up();
      setTimeout(() => void forwards.$close(), 300).unref();
      for await (const { name, status } of forwards.$events()) say([name, status.state]);
      say("over");`,
    );
    expect(lines.at(-1)).toBe("over");
  });

  test("leaves nothing of a program that is killed", async () => {
    await using project = await projectWith({ echo });
    const running = await program(
      project,
      `const { echo } = await up();
      say("port " + echo.port);
      setInterval(() => {}, 1000);`,
    );
    await running.says(/^port \d+\n/);
    expect(await ask(portSaid(running))).toBe("ping\n");
    running.kill("SIGKILL");
    await running.ended;
    await nothingRuns(project);
    expect((await exchange(portSaid(running))).end).toBe("refused");
  });

  test("joins what `kfwd up` keeps, and leaves it as it was", async () => {
    await using project = await projectWith({ web, echo });
    await project.ok("up", "--wait", "web");
    const before = await project.forward("web");
    const lines = await ran(
      project,
      `await using forwards = await up();
      say(forwards.web.port);
      say((await forwards.$status()).entries.map(({ name }) => name));`,
    );
    expect(lines).toEqual([String(before.localPort), '["web","echo"]']);
    const { entries } = await project.status();
    expect(entries.map(({ name, since }) => [name, since])).toEqual([["web", before.since]]);
  });

  test("does not lead a forward elsewhere that somebody else has", async () => {
    const other = await world.newNamespace();
    await world.deploy(other, "app");
    await using project = await projectWith({ web });
    await project.write(JSON.stringify({ name: "shop", forwards: { web } }));
    await project.ok("up", "--wait", "-n", namespace);
    const before = await project.forward("web");
    const lines = await ran(
      project,
      `const options = { namespace: ${JSON.stringify(other)}, context: "sandbox" };
      await up(options).catch((error) => say(about(error)));
      await using theirs = await up({ namespace: ${JSON.stringify(namespace)} });
      say(theirs.web.port);
      await using own = await up({ ...options, project: "shop-test" });
      say([own.web.status.namespace === ${JSON.stringify(other)}, own.$project]);`,
    );
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      code: "USAGE",
      message: expect.stringMatching(/^forward "web" runs already, .* namespace "shop-/) as string,
      hint: 'give this one a project of its own: project: "shop-test"',
    });
    expect(lines.slice(1)).toEqual([String(before.localPort), '[true,"shop-test"]']);
    const { namespace: still, since } = await project.forward("web");
    expect({ still, since }).toEqual({ still: namespace, since: before.since });
  });

  test("shares one supervisor with other programs, which keep theirs when one ends", async () => {
    await using project = await projectWith({ web, echo });
    const text = (names: string): string =>
      `const forwards = await up({ names: ${names} });
      say("port " + forwards.echo.port);
      await new Promise((resolve) => process.once("message", resolve));
      await forwards.$close();
      process.disconnect();`;
    const one = await program(project, text('["web", "echo"]'), { channel: "ipc" });
    const two = await program(project, text('["echo"]'), { channel: "ipc" });
    await Promise.all([one.says(/^port/), two.says(/^port/)]);
    expect(portSaid(one)).toBe(portSaid(two));
    one.child.send("end");
    expect((await ended(one)).status).toBe(0);
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["echo"]);
    expect(await ask(portSaid(two))).toBe("ping\n");
    two.child.send("end");
    expect((await ended(two)).status).toBe(0);
    await nothingRuns(project);
  });

  test("is required, as well as imported, and is one program then", async () => {
    await using project = await projectWith({ echo });
    const lines = await ran(
      project,
      `const required = (await import("node:module")).createRequire(import.meta.url)("kfwd");
      say([required.up === up, required.KfwdError === KfwdError, Object.keys(required)]);
      const forwards = await required.up();
      say(forwards.echo.isReady);
      await forwards[Symbol.asyncDispose]();
      say([forwards.echo.isReady, forwards.echo.status.state]);`,
    );
    expect(lines).toEqual(['[true,true,["KfwdError","up"]]', "true", '[false,"stopped"]']);
  });

  test("runs in a worker thread, and ends with it", async () => {
    await using project = await projectWith({ echo });
    const lines = await ran(
      project,
      `const { isMainThread, parentPort, Worker } = await import("node:worker_threads");
      if (isMainThread) {
        const worker = new Worker(new URL(import.meta.url));
        say(await new Promise((resolve) => worker.once("message", resolve)));
        await worker.terminate();
      } else {
        const forwards = await up();
        parentPort.postMessage(forwards.echo.status.state);
        setInterval(() => {}, 1000);
      }`,
    );
    expect(lines).toEqual(["ready"]);
    await nothingRuns(project);
  });

  test("has names of forwards that are those of methods elsewhere", async () => {
    const names = ["get", "close", "events", "then", "constructor", "all"];
    await using project = await projectWith(Object.fromEntries(names.map((name) => [name, echo])));
    const lines = await ran(
      project,
      `await using forwards = await up();
      say([...forwards].map(({ name }) => forwards[name].name));
      say([forwards.then.name, forwards.constructor.status.state, forwards.$get("close").name]);
      say("toString" in forwards);
      try { forwards.$get("clos"); } catch (error) { say(about(error)); }`,
    );
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      names,
      ["then", "ready", "close"],
      false,
      {
        code: "UNKNOWN_FORWARD",
        message: expect.stringMatching(
          /^no forward named "clos" was brought up\nhint: did you mean/,
        ) as string,
        hint: expect.stringMatching(/^did you mean "close"\? brought up: get, close/) as string,
        exit: 2,
      },
    ]);
  });

  test("lets go of one forward alone, and of all with the last", async () => {
    await using project = await projectWith({ web, echo });
    const running = await program(
      project,
      `const forwards = await up();
      say("port " + forwards.echo.port);
      await forwards.echo.close();
      say([forwards.echo.isReady, forwards.web.isReady, (await forwards.$status()).entries.map(({ name }) => name)]);
      await Promise.all([forwards.web.close(), forwards.web.close()]);
      say(forwards.$closed.aborted);
      await forwards.$close();
      await forwards.$status().catch((error) => say(error.code));`,
    );
    const { status, lines } = await ended(running);
    expect(status).toBe(0);
    expect(lines.slice(1)).toEqual(['[false,true,["web"]]', "true", "NOT_RUNNING"]);
    await nothingRuns(project);
    expect((await exchange(portSaid(running))).end).toBe("refused");
  });

  describe.concurrent("says what is wrong by an error, and leaves nothing running", () => {
    const caught = (options: string): string => `await up(${options}).catch((error) => say(
      { ...about(error), place: error.place?.line, isOurs: error instanceof KfwdError }));`;

    async function refused(project: Project, options = "", env: Record<string, string | undefined> = {}) {
      const { status, lines } = await ended(await program(project, caught(options), { env }));
      expect(status).toBe(0);
      expect(lines).toHaveLength(1);
      await nothingRuns(project);
      return JSON.parse(lines[0] ?? "") as { code: string; message: string; hint: string; exit: number };
    }

    test("of the file", async () => {
      await using project = await projectWith({ echo });
      await project.write("forwards:\n  api: { target: svc/api, port: 80, lokal: 1 }\n  b: 3\n");
      expect(await refused(project)).toEqual({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(
          /^forwards\.yaml:2:\d+: unknown key "lokal" in forward "api", and 1 more\n/,
        ) as string,
        hint: 'did you mean "local"?',
        exit: 2,
        place: 2,
        isOurs: true,
      });
      expect(await refused(project, '{ file: "nowhere.yaml" }')).toMatchObject({
        code: "CONFIG_NOT_FOUND",
        exit: 2,
      });
    });

    test("of what is asked for", async () => {
      await using project = await projectWith({
        echo,
        kafka: { target: "svc/app", ports: ["auto:7000", "auto:7001"] },
      });
      const wrong = [
        ['{ names: ["ecko"] }', "UNKNOWN_FORWARD", /^did you mean "echo"\? known: /],
        ['{ names: ["kafka"] }', "UNKNOWN_FORWARD", /^it stands for several: kafka:7000, kafka:7001$/],
        ['{ timeout: "90s" }', "USAGE", /^did you mean "waitTimeout"|known: cwd, file/],
        ["null", "USAGE", /./],
        ["{ names: [] }", "NOTHING_SELECTED", /./],
        ['{ profiles: ["debug"] }', "UNKNOWN_PROFILE", /no forward of the file has a profile/],
        ['{ namespace: "No" }', "USAGE", /./],
        ['{ file: "-" }', "USAGE", /./],
        ['{ waitTimeout: "soon" }', "USAGE", /waitTimeout/],
        ["{ waitTimeout: -1 }", "USAGE", /waitTimeout/],
        ['{ project: "No!" }', "USAGE", /./],
        ['{ context: "nowhere" }', "CONTEXT_UNKNOWN", /./],
      ] as const;
      const lines = await ran(project, wrong.map(([options]) => caught(options)).join("\n"));
      const errors = lines.map((line) => JSON.parse(line) as { code: string; hint: string });
      expect(errors.map(({ code }) => code)).toEqual(wrong.map(([, code]) => code));
      for (const [index, [, , hint]] of wrong.entries()) expect(errors[index]?.hint).toMatch(hint);
      await nothingRuns(project);
    });

    test("of a local port, which another program has", async () => {
      await using server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as { port: number };
      await using project = await projectWith({ echo: { ...echo, local: port }, web });
      expect(await refused(project)).toMatchObject({
        code: "PORT_BUSY",
        message: expect.stringMatching(new RegExp(`^forward "echo" is not ready: .*${port}`)) as string,
        exit: 5,
      });
    });

    test("of what is not ready in time", async () => {
      await using project = await projectWith({ never });
      expect(await refused(project, '{ waitTimeout: "8s" }')).toMatchObject({
        code: "NOT_READY_IN_TIME",
        message: expect.stringMatching(/^1 of 1 not ready after 8 s: never \(\w+\)$/m) as string,
        exit: 1,
      });
    });

    test("of a context that is protected, until it is allowed", async () => {
      await using project = await projectWith({ echo });
      await project.write(JSON.stringify({ namespace, protect: ["sand*"], forwards: { echo } }));
      expect(await refused(project)).toMatchObject({
        code: "PROTECTED_CONTEXT",
        hint: 'allowContexts: ["sandbox"]',
        exit: 2,
      });
      const allowed = 'await using f = await up({ allowContexts: ["sandbox"] }); say(f.echo.status.state);';
      expect(await ran(project, allowed)).toEqual(["ready"]);
    });

    test("of a file that asks for more than it may, until it is trusted", async () => {
      await using project = await projectWith({ echo: { ...echo, env: { PATH: "{host}" } } });
      const env = { KFWD_TRUST: undefined };
      expect(await refused(project, "", env)).toMatchObject({
        code: "UNTRUSTED",
        exit: 2,
        place: expect.any(Number) as number,
      });
      const trusting = "await using f = await up({ trust: true }); say(f.echo.status.state);";
      expect((await ended(await program(project, trusting, { env }))).lines).toEqual(["ready"]);
    });

    test("of a start that is not wanted any more", async () => {
      await using project = await projectWith({ echo, never });
      const running = await program(
        project,
        `const stop = new AbortController();
        process.once("message", () => stop.abort(new Error("enough")));
        await up({ signal: stop.signal }).catch((error) => say(error.message));
        await up({ signal: stop.signal }).catch((error) => say(error.message));
        process.disconnect();`,
        { channel: "ipc" },
      );
      await vi.waitFor(() => project.forward("never"), { timeout: PATIENCE_MS });
      running.child.send("enough");
      expect((await ended(running)).lines).toEqual(["enough", "enough"]);
      await nothingRuns(project);
    });

    test("of a start that is broken off before its supervisor has heard of a forward", async () => {
      await using project = await projectWith({ echo });
      await project.ok("up", "-d");
      const id = basename(dirname(project.lockPath));
      await project.ok("down");
      const config = { path: realpathSync(join(project.folder, "forwards.yaml")), sha256: "" };
      const request = { runtimeFolder: project.env["KFWD_RUNTIME_DIR"], id, project: "shop", config };
      const supervisor = join(dirname(CLI), "supervisor.js");
      const idle = project.exec(process.execPath, [supervisor, JSON.stringify(request)]);
      await vi.waitFor(() => expect(project.supervisorPid).toBe(idle.child.pid), { timeout: PATIENCE_MS });
      const lines = await ran(
        project,
        `const stop = new AbortController();
        const starting = up({ signal: stop.signal });
        stop.abort(new Error("enough"));
        await starting.catch((error) => say(error.message));`,
      );
      expect(lines).toEqual(["enough"]);
      await within(idle.ended, 15_000); // by itself it would wait for twice as long
    });
  });

  test("says all that helps when nobody catches its error", async () => {
    await using project = await projectWith({ echo });
    const running = await program(project, 'await up({ names: ["ecko"] });');
    const { status, stderr } = await within(running.ended, PATIENCE_MS);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^KfwdError: no forward named "ecko"\nhint: did you mean "echo"\?.*\n +at .*/m);
    for (const line of stderr.split("\n")) expect(line.length).toBeLessThan(250); // no minified code
  });

  test("lets programs come and go at once, and gives each what it asked for", async () => {
    await using project = await projectWith({ web, echo });
    const text = (seed: number): string => `
      for (let round = 0; round < 4; round++) {
        const name = (round + ${seed}) % 2 ? "web" : "echo";
        const forwards = await up({ names: [name] });
        if (!forwards[name].isReady) say("not ready");
        await forwards.$close();
      }
      say("done");`;
    const all = await Promise.all([0, 1, 2].map(async (seed) => program(project, text(seed))));
    for (const running of all) expect((await ended(running)).lines).toEqual(["done"]);
    await nothingRuns(project);
  });

  test("closes the forwards when the signal it was given is aborted", async () => {
    await using project = await projectWith({ echo });
    const lines = await ran(
      project,
      `const stop = new AbortController();
      const forwards = await up({ signal: stop.signal });
      stop.abort();
      await forwards.$close();
      say([forwards.$closed.aborted, forwards.echo.isReady]);`,
    );
    expect(lines).toEqual(["[true,false]"]);
    await nothingRuns(project);
  });

  test("tells what changes, as long as the forwards are open", async () => {
    const own = await world.newNamespace();
    await world.deploy(own, "app");
    await using project = await projectWith({});
    await project.write(fileOf(own, { echo }));
    const running = await program(
      project,
      `const forwards = await up();
      const states = [];
      const events = forwards.$events();
      process.once("message", () => void forwards.$close().then(() => process.disconnect()));
      say("up");
      for await (const { name, status } of events) {
        say(name + " " + status.state);
      }
      say("over " + events.dropped);`,
      { channel: "ipc" },
    );
    await running.says(/^up$/m);
    const [pod] = await world.podsOf(own, "app");
    await world.deletePod(own, pod?.name ?? "", { force: true });
    await running.says(/^echo (waiting|resolving|connecting)$/m);
    await running.says(/^echo ready$/m);
    running.child.send("close");
    const { status, lines } = await ended(running);
    expect(status).toBe(0);
    expect(lines.slice(-2)).toEqual(["echo stopped", "over 0"]);
  });

  test.each([
    { how: "is stopped from elsewhere", kill: (p: Project) => p.ok("down"), code: "NOT_RUNNING" },
    {
      how: "is killed",
      kill: async (p: Project) => void process.kill(p.supervisorPid, "SIGKILL"),
      code: "NOT_RUNNING",
    },
  ])(
    "says so when the supervisor $how, and rejects nothing that nobody waits for",
    async ({ kill, code }) => {
      await using project = await projectWith({ echo });
      const running = await program(
        project,
        `const forwards = await up();
      const unread = forwards.$events();
      say("up");
      try {
        for await (const { status } of forwards.$events()) say(status.state);
      } catch (error) {
        say([error instanceof KfwdError, error.code, error === forwards.$closed.reason]);
      }
      say([forwards.echo.isReady, forwards.echo.status.state]);
      await forwards.$status().catch((error) => say(error.code));
      await forwards.$close();
      say("closed");`,
      );
      await running.says(/^up$/m);
      await kill(project);
      const { status, lines } = await ended(running);
      expect(status).toBe(0);
      expect(lines.slice(-4)).toEqual([`[true,"${code}",true]`, '[false,"stopped"]', code, "closed"]);
    },
  );
});
