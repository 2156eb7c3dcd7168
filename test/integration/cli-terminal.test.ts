import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { portsOf, projectOf } from "../behaviour/stage.ts";
import { dial, expectEcho, within } from "../rig/client.ts";
import { lackOfTerminals, onTerminal } from "../rig/terminal.ts";

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";

const FORWARDS = {
  api: { target: "svc/app", port: 7000, local: "auto" },
  db: { target: "svc/app", port: 7001, local: "auto" },
};

/** What is missing for these tests on this machine; empty: nothing. */
const LACK = lackOfTerminals();

describe.concurrent(`on a terminal${LACK}`, () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.skipIf(LACK)("`up` draws the start in place, leaves lines, and gives the cursor back", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const { status, stdout } = await within(onTerminal(project, "up --wait").ended);
    expect(status).toBe(0);
    const drawn = stdout.lastIndexOf("\u001b[1A"); // the last line taken back
    expect(stdout.slice(0, drawn)).toMatch(/ api .*\r\n.* db .*\r\n/);
    expectCursor(stdout);
    expect(textOf(stdout.slice(drawn))).toMatch(
      /^ ✔ api {2}localhost:\d+ +svc\/app:7000 → app-[\w-]+:7000 {2}\d\.\ds\n ✔ db {3}localhost:\d+ +svc\/app:7001 → app-[\w-]+:7001 {2}\d\.\ds\nkfwd: ready 2\/2\n$/,
    );

    const table = await within(onTerminal(project, "status").ended);
    expect(table.stdout).toContain("\u001b[32mready");
    expect(textOf(table.stdout)).toMatch(/^NAME +LOCAL .*\napi .*\ndb .*\n$/);
    const down = await within(onTerminal(project, "down").ended);
    // It draws what it waits for, if it has to wait.
    expect(textOf(down.stdout)).toMatch(/(^|\n)2 forwards stopped \(\d\.\ds\)\n$/);
  });

  test.skipIf(LACK)("`status --watch` draws over what it drew, and ends with the supervisor", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await project.ok("up", "-d", "api");
    const watch = onTerminal(project, "status --watch");
    await watch.says(/db .*not started/);
    await watch.says(/api .*ready/);
    await project.ok("up", "-d", "--wait");
    await watch.says(/db .*ready/);
    await project.ok("down");
    const { status, stdout } = await within(watch.ended);
    expect(status).toBe(3);
    const last = stdout.slice(stdout.lastIndexOf("\u001b[?7l"));
    expect(last).toContain("\u001b[3A"); // a head and two forwards
    expect(textOf(last)).toMatch(/supervisor of project shop has ended/);
    expect(stdout.split("\u001b[?7l").length).toBe(stdout.split("\u001b[?7h").length);
  });

  test.skipIf(LACK)("the lines that `up` leaves are in the order of the file", async () => {
    const missing = { target: "svc/none", port: 80, local: "auto" };
    await using project = await projectOf(world, namespace, { last: missing, ...FORWARDS, also: missing });
    const { stdout } = await within(onTerminal(project, "up --wait --wait-timeout 2s").ended);
    const left = textOf(stdout.slice(stdout.lastIndexOf("\u001b[1A")));
    expect([...left.matchAll(/^ \S (\w+) +localhost:/gm)].map(([, name]) => name)).toEqual([
      "last",
      "api",
      "db",
      "also",
    ]);
  });

  test.skipIf(LACK)("`down` says what it waits for, and takes that back", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await project.ok("up", "--wait");
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);
    const down = onTerminal(project, "down -t 1m");
    await down.says(/stopping 2 forwards: open connections may go on for 60s/);
    client.destroy();
    const { status, stdout } = await within(down.ended);
    expect(status).toBe(0);
    expectCursor(stdout);
    expect(textOf(stdout)).toMatch(/2 forwards stopped \(\d\.\ds\)\n$/);
  });

  test.skipIf(LACK)("Ctrl-C while `up` draws: the cursor is given back, exit 130", async () => {
    await using project = await projectOf(world, namespace, {
      ...FORWARDS,
      late: { target: "svc/none", port: 80, local: "auto" },
    });
    const up = onTerminal(project, "up");
    await up.says(/late.*waiting/);
    up.child.stdin?.write("\u0003");
    const { status, stdout } = await within(up.ended);
    expect(status).toBe(130);
    expectCursor(stdout);
    expect((await project.run("status")).status).toBe(3);
  });

  test.skipIf(LACK)("Ctrl-C once `up` is ready ends it, exit 0", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const up = onTerminal(project, "up");
    await up.says(/kfwd: ready 2\/2\r\n/);
    up.child.stdin?.write("\u0003");
    const { status, stdout } = await within(up.ended);
    expect(status).toBe(0);
    expectCursor(stdout);
    expect(textOf(stdout)).toMatch(
      /\nkfwd: ready 2\/2\n[^\n]*d detach [^\n]*stopping\n2 forwards stopped\n$/,
    );
  });

  test.skipIf(LACK).each([
    ["the terminal is dumb", { TERM: "dumb" }],
    ["CI is set", { CI: "true" }],
    ["the forwards do not fit", { ROWS: "6" }],
  ])("lines alone when %s", async (_, env) => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const { stdout } = await within(onTerminal(project, "up --wait", env).ended);
    expect(stdout).not.toContain(HIDE_CURSOR);
    expect(textOf(stdout)).toMatch(/^.* api .*\n.* db .*\nkfwd: ready 2\/2\n$/);
  });

  test.skipIf(LACK)("0 columns mean that nobody knows: nothing is drawn, cut or wrapped", async () => {
    await using project = await projectOf(world, namespace, {
      api: { target: "deploy/app", port: 7000, local: "auto" },
    });
    const env = { COLS: "0", ROWS: "0" };
    const up = await within(onTerminal(project, "up --wait", env).ended);
    expect(textOf(up.stdout)).toMatch(/^ ✔ api {2}.* deploy\/app:7000 → app-.*\nkfwd: ready 1\/1\n$/);
    const table = await within(onTerminal(project, "status", env).ended);
    expect(textOf(table.stdout)).toMatch(/^NAME .*\napi +localhost:\d+ +deploy\/app:7000 +ready .*\n$/);
    const help = await within(onTerminal(project, "help status", env).ended);
    expect(textOf(help.stdout)).toMatch(/^ {2}--color <when> .* default: "auto"\)$/m);

    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);
    const down = onTerminal(project, "down -t 1m", env);
    await down.says(/stopping 1 forward/);
    client.destroy();
    const { status, stdout } = await within(down.ended);
    expect(status).toBe(0);
    expect(stdout).not.toContain(HIDE_CURSOR);
    expect(textOf(stdout)).toMatch(
      /^stopping 1 forward: open connections may go on for 60s\n1 forward stopped \(\d+\.\ds\)\n$/,
    );
  });

  test.skipIf(LACK)(
    "a credential plugin may ask before anything is drawn, and need not in the background",
    async () => {
      await using project = await projectOf(world, namespace, FORWARDS);
      const login = join(project.root, "login");
      const token = world.sandbox.token("admin");
      const answer = JSON.stringify({ kind: "ExecCredential", status: { token } });
      const ask = `printf 'code? ' >&2; read code; [ "$code" = 1234 ] || exit 1; cat <<'END'\n${answer}\nEND\n`;
      writeFileSync(login, `#!/bin/sh\n${ask}`, { mode: 0o700 });
      const config = JSON.parse(world.sandbox.kubeconfig("admin")) as { users: { user: object }[] };
      const exec = {
        apiVersion: "client.authentication.k8s.io/v1",
        command: login,
        interactiveMode: "Always",
      };
      for (const user of config.users) user.user = { exec };
      writeFileSync(join(project.root, "asking"), JSON.stringify(config));
      project.env["KUBECONFIG"] = join(project.root, "asking");

      const { status } = await project.run("up", "--wait");
      expect(status).toBe(4);
      expect((await project.forward("api")).reason).toMatchObject({
        message: `the credential plugin "${login}" of user "admin" wants a terminal, and kfwd has none for it`,
        hint: expect.stringMatching(/^kfwd down, then kfwd up in a terminal/) as string,
      });
      await project.ok("down");

      const up = onTerminal(project, "up");
      await up.says(/code\? /);
      expect(up.stdout).not.toContain(HIDE_CURSOR);
      up.child.stdin?.write("1234\r");
      await up.says(/kfwd: ready 2\/2\r\n/);
      await expectEcho(await dial((await portsOf(project))("api")));
      up.child.stdin?.write("\u0003");
      expect((await within(up.ended)).status).toBe(0);
    },
  );

  test.skipIf(LACK)("lines alone when only stdout is one: scripts read stderr", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    expect((await within(onTerminal(project, "up --wait 2>said").ended)).stdout).toBe("");
    const said = readFileSync(join(project.folder, "said"), "utf8");
    expect(textOf(said)).toBe(said);
    expect(said).toMatch(/^\d{4}-.* api ready .*\n.* db ready .*\nkfwd: ready 2\/2\n$/);
  });

  /** The text without colours and cursor moves, and with line breaks as they were written. */
  function textOf(printed: string): string {
    // oxlint-disable-next-line no-control-regex
    return printed.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, "").replaceAll("\r\n", "\n");
  }

  function expectCursor(printed: string): void {
    expect(printed).toContain(HIDE_CURSOR);
    expect(printed.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(printed.lastIndexOf(HIDE_CURSOR));
  }
});

/** What a cluster says may be made to look like anything: nothing of it may reach a terminal as it is. */
describe("control characters from the cluster", () => {
  const HOSTILE = "\u001b]0;owned\u0007\u001b[2J\r\u009b1A\u202ekcab";
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterEach(() => world.sandbox.faults.clear());
  afterAll(() => world[Symbol.asyncDispose]());

  test.each([
    [
      "an answer of the API server",
      async () => {
        world.sandbox.faults.answers = { status: 403, body: statusObject(HOSTILE) };
      },
    ],
    [
      "the refusal of a port-forward",
      async () => {
        world.sandbox.faults.upgrades = { status: 403, body: statusObject(HOSTILE) };
      },
    ],
    [
      "a pod's reason and message",
      async () => {
        const [pod] = await world.podsOf(namespace, "app");
        world.sandbox.pods.setWaiting(namespace, pod?.name ?? "", `Crash${HOSTILE}`, HOSTILE);
      },
    ],
  ])("%s: shown as text, by every command and in the log", async (_, harm) => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await harm();
    const said = [(await project.run("up", "-d")).stderr];
    await project.until("api", ({ reason }) => reason?.message.includes("owned") ?? false);
    for (const args of [["status"], ["up", "--wait", "--wait-timeout", "1"]]) {
      const { stdout, stderr } = await project.run(...args);
      said.push(stdout + stderr);
    }
    const logs = join(project.root, "state", "kfwd");
    for (const file of readdirSync(logs, { recursive: true, encoding: "utf8" })) {
      if (file.endsWith(".log")) said.push(readFileSync(join(logs, file), "utf8"));
    }
    expect(said).toHaveLength(4);
    expect(said[1]).toContain("\\u001b]0;owned\\u0007\\u001b[2J\\u000d\\u009b1A\\u202ekcab");
    for (const text of said) expectHarmless(text);
  });

  function expectHarmless(text: string): void {
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }

  function statusObject(message: string): string {
    return JSON.stringify({
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      code: 403,
      reason: "Forbidden",
      message,
    });
  }
});
