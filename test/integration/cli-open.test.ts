import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf, type Forwards } from "../behaviour/stage.ts";
import { Project, type Ended } from "../rig/project.ts";

/** Writes what it is called with, a word a line, where the test looks for it. */
const BROWSER = `#!/bin/sh
printf '%s\\n' "$@" > "$OPENED.new" && mv "$OPENED.new" "$OPENED"
`;

const SITE = { target: "svc/app", port: 80, local: "auto", url: "http://{host}:{port}/docs" };

describe.concurrent("kfwd open", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** A desktop: a program called xdg-open, and a display. */
  async function desk(forwards: Forwards) {
    const project = await bringUp(world, namespace, forwards);
    const bin = join(project.root, "bin");
    await mkdir(bin);
    for (const name of ["xdg-open", "my-browser"]) {
      await writeFile(join(bin, name), BROWSER);
      await chmod(join(bin, name), 0o755);
    }
    const opened = join(project.root, "opened");
    const env = { DISPLAY: ":0", OPENED: opened, PATH: `${bin}:${project.env["PATH"]}`, CI: undefined };
    return {
      bin,
      port: await project.port(Object.keys(forwards)[0] ?? ""),
      run: (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> =>
        project.start(["open", ...args], { env: { ...env, ...more } }).ended,
      words: () => vi.waitFor(async () => (await readFile(opened, "utf8")).trimEnd().split("\n"), 30_000),
      isUntouched: () =>
        readFile(opened).then(
          () => false,
          () => true,
        ),
      [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
    };
  }

  test("the desktop's way, the only website without a name", async () => {
    const db = { target: "svc/app", port: 7000, local: "auto", url: "postgres://{host}:{port}" };
    await using at = await desk({ api: SITE, db });
    const url = `http://localhost:${at.port}/docs`;
    expect(await at.run([])).toMatchObject({ status: 0, stdout: "", stderr: `opened ${url}\n` });
    expect(await at.words()).toEqual([url]);
  });

  test("BROWSER goes first: a path, words with %s, and of several the first that there is", async () => {
    await using at = await desk({ api: SITE });
    const url = `http://localhost:${at.port}/docs`;
    const own = join(at.bin, "my-browser");
    for (const [browser, words] of [
      [own, [url]],
      [`my-browser --new-tab %s --quiet`, ["--new-tab", url, "--quiet"]],
      [`no-such-browser:my-browser -x`, ["-x", url]],
    ] as const) {
      const { status, stderr } = await at.run(["api"], { BROWSER: browser, SSH_TTY: "/dev/pts/9" });
      expect([status, stderr]).toEqual([0, `opened ${url}\n`]);
      expect(await at.words()).toEqual(words);
    }
    const json = await at.run(["api", "--json"], { BROWSER: own });
    expect(JSON.parse(json.stdout)).toEqual({ schema: "kfwd.open/1", name: "api", url, opened: true });
  });

  test("over ssh, in CI, without a display and with --print it is printed, and why is said", async () => {
    await using at = await desk({ api: SITE });
    const url = `http://localhost:${at.port}/docs\n`;
    for (const [args, env, note] of [
      [[], { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }, "not opened: this is a session over ssh\n"],
      [[], { CI: "true" }, "not opened: this is a CI job\n"],
      [[], { DISPLAY: "" }, "not opened: there is no display\n"],
      [[], { BROWSER: "none" }, "not opened: BROWSER is none\n"],
      [["--print"], {}, ""],
    ] as const) {
      expect(await at.run(["api", ...args], env)).toMatchObject({ status: 0, stdout: url, stderr: note });
    }
    const json = await at.run(["--json"], { CI: "true" });
    expect(JSON.parse(json.stdout)).toMatchObject({ url: url.trimEnd(), opened: false });
    expect(await at.isUntouched()).toBe(true);
  });

  test("a file cannot have anything else opened, and nothing of it is run", async () => {
    const of = (url: string) => ({ ...SITE, url });
    await using at = await desk({
      shell: of("http://{host}:{port}/`touch pwned`$$(touch pwned);touch pwned&\"'|x"),
      file: of("file:///etc/passwd"),
      script: of("javascript:alert({port})"),
      flag: of("--version{port}"),
    });
    expect((await at.run(["shell"])).status).toBe(0);
    const [word = "", ...more] = await at.words();
    expect([word, more]).toEqual([
      `http://localhost:${at.port}/%60touch%20pwned%60%24(touch%20pwned);touch%20pwned&%22'|x`,
      [],
    ]);
    for (const [name, what] of [
      ["file", "file:"],
      ["script", "javascript:"],
      ["flag", /--version\d+/.source],
    ] as const) {
      for (const flags of [[], ["--print"]]) {
        const { status, stdout, stderr } = await at.run([name, ...flags]);
        expect([status, stdout]).toEqual([2, ""]);
        expect(stderr).toMatch(
          new RegExp(
            `^error: the url of forward "${name}" is one of ${what}, and only http and https are opened\n`,
          ),
        );
        expect(stderr).toContain(`hint: kfwd url ${name}\n`);
      }
    }
    expect(await at.words()).toEqual([word]);
  });

  test("a browser that is not there, or fails: exit 1, with the URL to be opened by hand", async () => {
    await using at = await desk({ api: SITE });
    expect(await at.run(["api"], { BROWSER: "no-such-browser" })).toMatchObject({
      status: 1,
      stderr: `error: cannot open the URL: there is no no-such-browser\nhint: open it yourself: http://localhost:${at.port}/docs\n`,
    });
    expect((await at.run(["api"], { BROWSER: "false" })).stderr).toContain("false ended with exit status 1");
  });

  test("no name where several could be meant, none at all, nothing runs", async () => {
    await using project = await projectOf(world, namespace, { api: SITE, web: SITE });
    expect(await project.run("open")).toMatchObject({
      status: 2,
      stderr: "error: several forwards have a url: api, web\nhint: kfwd open api\n",
    });
    expect(await project.run("open", "web")).toMatchObject({ status: 3, stdout: "" });
    await project.write(JSON.stringify({ forwards: { db: { target: "svc/app", port: 7000 } } }));
    expect((await project.run("open")).stderr).toContain("error: no forward has a url of http or https\n");
    expect((await project.run("open", "db")).status).toBe(3);
  });
});

test("hosts print: the names of the file, as lines of a hosts file", async () => {
  const forwards = {
    api: { target: "svc/app", port: 8080, hosts: ["api.shop.test", "www.shop.test"] },
    web: { target: "svc/app", port: 8081, bind: "127.0.0.2", hosts: ["*.web.test"] },
    db: { target: "svc/app", port: 8082 },
  };
  await using project = await Project.create({ file: JSON.stringify({ name: "shop", forwards }) });
  expect(await project.run("hosts", "print")).toMatchObject({
    status: 0,
    stdout: "127.0.0.1\tapi.shop.test www.shop.test\t# kfwd shop api\n",
    stderr: "a hosts file knows no wildcards, left out: *.web.test\n",
  });
  expect(await project.run("hosts", "print", "db")).toMatchObject({
    stdout: "",
    stderr: "no forward has hosts\n",
  });
  expect(JSON.parse((await project.ok("hosts", "print", "web", "--json")).stdout)).toEqual({
    schema: "kfwd.hosts/1",
    hosts: [{ forward: "web", address: "127.0.0.2", names: ["*.web.test"] }],
  });
  expect(await project.run("hosts", "edit")).toMatchObject({
    status: 2,
    stderr: 'error: cannot "edit" hosts\nhint: kfwd hosts print\n',
  });
});

test("version: what runs here", async () => {
  await using project = await Project.create();
  const number = (await project.ok("--version")).stdout.trim();
  const { stdout } = await project.ok("version");
  expect(stdout).toBe(
    `kfwd ${number}, Node ${process.versions.node}, ${process.platform} ${process.arch}, forwards.yaml version 1\n`,
  );
  expect(JSON.parse((await project.ok("version", "--json")).stdout)).toEqual({
    schema: "kfwd.version/1",
    version: number,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    fileVersion: 1,
  });
});
