import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, portsOf, projectOf } from "../behaviour/stage.ts";
import { dial, expectEcho } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { lackOfScreens, Screen, type ScreenOptions } from "../rig/screen.ts";

const FORWARDS = {
  api: { target: "svc/app", port: 7000, local: "auto", url: "http://{host}:{port}/docs" },
  db: { target: "svc/app", port: 7000, local: "auto" },
};

/** What is missing for these tests on this machine; empty: nothing. */
const LACK = lackOfScreens();

/** What stands on a screen without what is another each time. */
function picture(text: string): string {
  return text
    .replaceAll(/localhost:\d{5}/g, "localhost:PORT ")
    .replaceAll(/app-[0-9a-f]+-\w{5}/g, "app-POD")
    .replaceAll(/\d\.\ds$/gm, "TIME")
    .replaceAll(/ +$/gm, "");
}

describe(`keys on a terminal${LACK}`, { timeout: 120_000 }, () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function upOn(project: Project, options: ScreenOptions = {}, command = "kfwd up"): Promise<Screen> {
    const screen = await Screen.open(project, options);
    await screen.type(`${command}\n`);
    await screen.shows(/(\d+)\/\1 ready {2}d detach/);
    return screen;
  }

  /** How the terminal behaves for the next program. */
  async function expectSane(screen: Screen): Promise<void> {
    await screen.type("stty -a | grep -o -w -e -icanon -e -echo -e -isig; echo sane\n");
    expect(await screen.shows(/^sane$/m)).toMatch(/\$ stty .*\n(.*\n)?sane\n\$$/);
  }

  test.skipIf(LACK)("d detaches: connections go on, and the terminal is as it was", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);
    expect(await project.status()).toMatchObject({ owners: [{ names: ["api", "db"] }], kept: [] });
    await screen.type("d");
    expect(picture(await screen.shows(/^\$ $/m))).toMatchInlineSnapshot(`
      "$ kfwd up
       ✔ api  localhost:PORT   svc/app:7000 → app-POD:7000  TIME
       ✔ db   localhost:PORT   svc/app:7000 → app-POD:7000  TIME
      kfwd: ready 2/2
      detached: the forwards stay up, \`kfwd down\` stops them
      $"
    `);
    await expectSane(screen);
    await expectEcho(client);
    client.destroy();
    expect((await project.status()).owners).toBeUndefined();
  });

  test.skipIf(LACK)(
    "Ctrl-C lets connections finish and ends the supervisor; a second one does not wait",
    async () => {
      await using project = await projectOf(world, namespace, FORWARDS);
      await using screen = await upOn(project);
      const client = await dial((await portsOf(project))("api"));
      await expectEcho(client);
      await screen.press("C-c");
      await screen.shows(/draining 1 connection, Ctrl-C again to force/);
      await expectEcho(client);
      client.destroy();
      await screen.shows(/2 forwards stopped\n\$ $/);
      expect((await project.run("status")).status).toBe(3);
      await expectSane(screen);

      await screen.type("clear; kfwd up -t 10m; echo status $?\n");
      await screen.shows(/ready {2}d detach/);
      const other = await dial((await portsOf(project))("api"));
      await expectEcho(other);
      await screen.type("q");
      await screen.shows(/draining/);
      await screen.press("C-c");
      await screen.shows(/^(\^C)?status 130$/m);
      other.destroy();
      await vi.waitFor(async () => expect((await project.run("status")).status).toBe(3), { timeout: 15_000 });
    },
  );

  test.skipIf(LACK)("r asks which of several, drops its connections and keeps its port", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    const portOf = await portsOf(project);
    const [api, db] = [await dial(portOf("api")), await dial(portOf("db"))];
    await Promise.all([expectEcho(api), expectEcho(db)]);
    const dropped = new Promise((resolve) => api.once("close", resolve).on("error", () => {}));
    await screen.type("r");
    await screen.shows(/^restart which\? _ {2}\(api, db\)$/m);
    await screen.type("ax");
    await screen.shows(/^restart which\? ax_ {2}\(none of that name\)$/m);
    await screen.press("BSpace");
    await screen.shows(/^restart which\? a_ {2}\(api\)$/m);
    await screen.press("Enter");
    await screen.shows(/restarted api\n(.*\n)*2\/2 ready {2}d detach/);
    await dropped;
    await expectEcho(db);
    db.destroy();
    expect(await project.port("api")).toBe(portOf("api"));
    const again = await dial(portOf("api"));
    await expectEcho(again);
    again.destroy();
  });

  test.skipIf(LACK)("l shows the log and less of it, o the url, ? the keys", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    for (const level of ["warn", "info", "debug"]) {
      await screen.type("l");
      await screen.shows(new RegExp(`l log ${level} `));
    }
    await screen.type("r");
    await screen.type("d");
    await screen.press("Enter");
    await screen.shows(/^db +\| \d\d:\d\d:\d\d ready again on app-/m);
    await screen.type("l");
    await screen.shows(/l log {2}o open/);
    await screen.type("o"); // only one has a url
    await screen.shows(new RegExp(`^http://localhost:${(await portsOf(project))("api")}/docs`, "m"));
    await screen.type("?");
    const help = await screen.shows(/Ctrl-C {2}stop the forwards and quit\n/);
    expect(help.slice(help.indexOf("  d   "))).toMatchInlineSnapshot(`
      "  d          detach: the forwards go on in the background
        r          restart a forward: its connections are dropped, its port is kept
        l          show the log: nothing of it, warnings, all but details, all
        o          open the url of a forward
        w          watch the files: read them again when they change
        Ctrl-Z     suspend this view; the forwards go on
        q, Ctrl-C  stop the forwards and quit
      2/2 ready  d detach  r restart  l log  o open  w watch  ? help  q quit"
    `);
  });

  test.skipIf(LACK)("Ctrl-Z gives the terminal back, and `fg` takes it again", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    await screen.press("C-z");
    await screen.shows(/Stopped +kfwd up\n\$ $/);
    await expectSane(screen);
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client); // the supervisor goes on
    client.destroy();
    await screen.type("bg\n");
    await screen.shows(/kfwd up &\n\$ $/);
    await screen.type("echo still my shell\n");
    await screen.shows(/^still my shell\n\$ $/m);
    await screen.type("fg\n");
    await screen.shows(/^kfwd up\n2\/2 ready {2}d detach/m);
    await screen.type("q");
    await screen.shows(/2 forwards stopped\n\$ $/);
  });

  test.skipIf(LACK)(
    "in the background of a shell there are no keys, and nothing is stopped for want of them",
    async () => {
      await using project = await projectOf(world, namespace, FORWARDS);
      await using screen = await Screen.open(project);
      await screen.type("kfwd up &\n");
      expect(await screen.shows(/kfwd: ready 2\/2/)).not.toContain("d detach");
      await screen.type("\nkill %1\n");
      await screen.shows(/2 forwards stopped/);
    },
  );

  test.skipIf(LACK)("SIGKILL of `up`, and a terminal that closes, end the forwards", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const screen = await upOn(project);
    const pid = project.processes().find((one) => one !== project.supervisorPid && isUp(one));
    process.kill(pid ?? 0, "SIGKILL");
    await screen.shows(/Killed/);
    await vi.waitFor(async () => expect((await project.run("status")).status).toBe(3), { timeout: 15_000 });
    await screen.type("reset; kfwd up\n");
    await screen.shows(/2\/2 ready {2}d detach/);
    await screen[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect((await project.run("status")).status).toBe(3), { timeout: 15_000 });
    expect(project.processes()).toEqual([]);
  });

  test.skipIf(LACK)("what others keep or need stays up", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    await project.ok("up", "-d", "--wait", "db");
    await screen.type("q");
    await screen.shows(/1 forward stopped\nothers want them, so they stay up: db\n\$ $/);
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["db"]);
  });

  test.skipIf(LACK)("beside a supervisor in the background q and Ctrl-C leave the forwards up", async () => {
    await using project = await bringUp(world, namespace, FORWARDS);
    await using screen = await Screen.open(project);
    for (const [command, leave] of [
      ["kfwd up", "C-c"],
      ["kfwd attach", "q"],
      ["kfwd attach db", "C-c"],
    ] as const) {
      await screen.type(`clear; ${command}\n`);
      await screen.shows(/\d\/\d ready {2}r restart .* q leave$/m);
      await screen.press(leave);
      await screen.shows(/detached: the forwards stay up, `kfwd down` stops them\n\$ $/);
    }
    expect((await project.status()).entries.map(({ state }) => state)).toEqual(["ready", "ready"]);
    await project.ok("down");
    await screen.type("clear; kfwd attach; echo status $?\n");
    await screen.shows(/error: nothing is running for project shop\nhint: kfwd up\nstatus 3/);
  });

  test.skipIf(LACK)("a supervisor that ends, and one that dies, give the terminal back", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    await project.ok("down");
    await screen.shows(/the forwards were stopped from elsewhere\n\$ $/);
    await screen.type("clear; kfwd up; echo status $?\n");
    await screen.shows(/2\/2 ready {2}d detach/);
    process.kill(project.supervisorPid, "SIGKILL");
    await screen.shows(/^error: .*\n(.*\n)*status [1-9]/m);
    await expectSane(screen);
  });

  test.skipIf(LACK)("80×24, then 40×10 and back: one line below what was said", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    expect(picture(await screen.text())).toMatchInlineSnapshot(`
      "$ kfwd up
       ✔ api  localhost:PORT   svc/app:7000 → app-POD:7000  TIME
       ✔ db   localhost:PORT   svc/app:7000 → app-POD:7000  TIME
      kfwd: ready 2/2
      2/2 ready  d detach  r restart  l log  o open  w watch  ? help  q quit"
    `);
    await screen.resize(40, 10);
    expect(picture(await screen.shows(/^2\/2 ready {2}d detach {2}\? help {2}q quit$/m)))
      .toMatchInlineSnapshot(`
        " ✔ db   localhost:PORT   svc/app:7000 →
        app-POD:7000  TIME
        kfwd: ready 2/2
        2/2 ready  d detach  ? help  q quit"
      `);
    await screen.resize(80, 24);
    expect(picture(await screen.shows(/l log {2}o open/))).toMatchInlineSnapshot(`
      " ✔ api  localhost:PORT   svc/app:7000 → app-POD:7000  TIME
       ✔ db   localhost:PORT   svc/app:7000 → app-POD:7000  TIME
      kfwd: ready 2/2
      2/2 ready  d detach  r restart  l log  o open  w watch  ? help  q quit"
    `);
    await screen.type("q");
    expect(picture(await screen.shows(/^\$ $/m))).toMatchInlineSnapshot(`
      " ✔ api  localhost:PORT   svc/app:7000 → app-POD:7000  TIME
       ✔ db   localhost:PORT   svc/app:7000 → app-POD:7000  TIME
      kfwd: ready 2/2
      stopping
      2 forwards stopped
      $"
    `);
  });

  test.skipIf(LACK)(
    "NO_COLOR: the same without colours; TERM=dumb and KFWD_MENU=0: lines alone",
    async () => {
      await using project = await projectOf(world, namespace, FORWARDS);
      await using plain = await upOn(project, { env: { NO_COLOR: "1" } });
      expect(await plain.painted()).not.toContain("\u001b[");
      await plain.type("q");
      await plain.shows(/2 forwards stopped\n\$ $/);
      for (const env of ["TERM=dumb", "KFWD_MENU=0"]) {
        await plain.type(`clear; ${env} kfwd up\n`);
        expect(await plain.shows(/kfwd: ready 2\/2/)).not.toContain("d detach");
        await plain.press("C-c");
        await plain.shows(/2 forwards stopped\n\$ $/);
      }
    },
  );

  test.skipIf(LACK)("60 forwards on 40×10: the last lines, and the keys below them", async () => {
    const many = Array.from({ length: 60 }, (_, index) => [`f${index}`, { ...FORWARDS.db }] as const);
    await using project = await projectOf(world, namespace, Object.fromEntries(many));
    await using screen = await upOn(project, { columns: 40, rows: 10 });
    expect(await screen.shows(/^60\/60 ready {2}d detach {2}\? help {2}q quit$/m)).toMatch(
      /kfwd: ready 60\/60\n60\/60/,
    );
    await screen.type("r");
    expect(await screen.shows(/^restart/m)).toMatch(/^restart which\? _ {2}\(f0, f1, f2, 57 more\)$/m);
    await screen.type("f5*");
    expect(await screen.shows(/f5\*_/)).toMatch(/^restart which\? f5\*_ {2}\(f5, f50, 9 more\)$/m);
    await screen.press("Escape");
    await screen.shows(/^60\/60 ready {2}d detach/m);
    await screen.type("q");
    await screen.shows(/60 forwards stopped\n\$ $/);
  });

  test.skipIf(LACK)("w reads the files again when they change, and only then", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    await using screen = await upOn(project);
    await screen.type("w");
    await screen.shows(/w watching/);
    await project.write(fileOf(namespace, { api: FORWARDS.api, web: FORWARDS.db }));
    await screen.shows(/^forwards.yaml was read again: started web; removed db; 1 forward unchanged$/m);
    await screen.type("w");
    await screen.shows(/w watch /);
    await screen.type("q");
    await screen.shows(/2 forwards stopped\n\$ $/);
  });

  function isUp(pid: number): boolean {
    return !/tmux|bash|supervisor/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
  }
});
