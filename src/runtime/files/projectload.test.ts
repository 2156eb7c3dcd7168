import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forwardsOf, told } from "../../../test/fakes/projectfiles.ts";
import type { PlaceFacts } from "../daemon/place.ts";
import { allow, isAllowed, protectedContext, trustQuestion, type GoodConfig } from "./guard.ts";
import { loadProject, type LoadedConfig, type LoadRequest } from "./projectload.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "kfwd-load-")));
  mkdirSync(join(root, "repo/.git"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}

function load(request: Partial<LoadRequest> = {}, env: Record<string, string> = {}): Promise<LoadedConfig> {
  const world = {
    cwd: at("repo/shop"),
    home: at("home"),
    env,
    platform: process.platform,
    version: "0.1.0",
    readStdin: () => Promise.resolve('forwards: { stdin: "9999:svc/a:80" }'),
  };
  return loadProject(world, { files: [], localFile: "read", overrides: {}, ...request });
}

const API = 'forwards: { api: "8080:svc/api:http" }\n';

describe("the files of a project", () => {
  test("base, includes and the local file beside it, with variables of each folder", async () => {
    write("repo/shop/forwards.yaml", "include: ../other/f.yaml\nforwards: { a: { target: a, port: $A } }\n");
    write("repo/shop/.env", "A=8081\nB=1\n");
    write("repo/other/f.yaml", "forwards: { b: { target: b, port: $B } }\n");
    write("repo/other/.env", "B=8082\n");
    write("repo/shop/forwards.local.yaml", "forwards: { a: { required: false } }\n");
    const loaded = await load();
    const { a, b } = forwardsOf(loaded.parsed);
    expect([a?.local, a?.required, b?.local]).toEqual([8081, false, 8082]);
    expect(b?.source.file).toBe("../other/f.yaml");
    const files = [
      "other/.env",
      "other/f.yaml",
      "shop/.env",
      "shop/forwards.local.yaml",
      "shop/forwards.yaml",
    ];
    expect(loaded.read.map(({ path }) => path).sort()).toEqual(files.map((path) => at(`repo/${path}`)));
    expect(forwardsOf((await load({}, { A: "7777" })).parsed)["a"]?.local).toBe(7777);
    expect(forwardsOf((await load({ localFile: "ignore" })).parsed)["a"]?.required).toBe(true);
  });

  test("--dotenv takes the place of .env, the last one wins, and must be there", async () => {
    write("repo/shop/forwards.yaml", "forwards: { a: { target: a, port: $A } }\n");
    write("repo/shop/.env", "A=1\n");
    write("repo/shop/one.env", "A=8081\n");
    write("repo/shop/two.env", "A=8082\n");
    const { parsed } = await load({ dotenvs: ["one.env", "two.env"] });
    expect(forwardsOf(parsed)["a"]?.local).toBe(8082);
    await expect(load({ dotenvs: ["gone.env"] })).rejects.toMatchObject({
      code: "CONFIG_NOT_FOUND",
      message: `there is no file "${at("repo/shop/gone.env")}"`,
    });
  });

  test("several -f, of which the first is the project's, and standard input", async () => {
    write("repo/shop/a.yaml", API);
    write("repo/shop/b.yaml", "forwards: { api: { local: 9090 } }\n");
    const loaded = await load({ files: ["a.yaml", "b.yaml"] });
    expect([loaded.config.shownAs, forwardsOf(loaded.parsed)["api"]?.local]).toEqual(["a.yaml", 9090]);
    expect(Object.keys(forwardsOf((await load({ files: ["a.yaml", "-"] })).parsed))).toEqual([
      "api",
      "stdin",
    ]);
  });

  test("of several in one folder the first is read, and the others are warned of unless one was named", async () => {
    write("repo/shop/kfwd.yaml", API);
    write("repo/shop/kfwd.yml", API);
    expect(told((await load()).parsed)).toEqual([
      'kfwd.yaml:1:1 SeveralFiles: "kfwd.yml" beside "kfwd.yaml" is not read | keep one of them, or name the one you mean with -f',
    ]);
    write("repo/shop/kfwd.yaml", "forwards: {\n");
    const { parsed } = await load();
    const [warning] = parsed.kind === "invalid" ? parsed.warnings : [];
    expect(warning).toMatchObject({ severity: "warning", code: "SeveralFiles", line: 1, column: 1 });
    write("repo/shop/kfwd.yaml", API);
    write("repo/shop/forwards.yaml", "forwards: { first: 8080:svc/a:80 }\n");
    const loaded = await load();
    expect(Object.keys(forwardsOf(loaded.parsed))).toEqual(["first"]);
    expect(told(loaded.parsed)[0]).toContain('"kfwd.yaml", "kfwd.yml" beside "forwards.yaml" are not read');
    expect(told((await load({ files: ["kfwd.yaml"] })).parsed)).toEqual([]);
  });

  test("a second name of the same file is no second file", async () => {
    write("repo/shop/forwards.yaml", API);
    symlinkSync(at("repo/shop/forwards.yaml"), at("repo/shop/kfwd.yaml"));
    expect(told((await load()).parsed)).toEqual([]);
  });

  test("an include from a package, hoisted or not", async () => {
    write("repo/shop/forwards.yaml", 'include: "pkg:@acme/ports/f.yaml"\n');
    write("repo/node_modules/@acme/ports/f.yaml", API);
    expect(Object.keys(forwardsOf((await load()).parsed))).toEqual(["api"]);
  });

  test.each([
    ["a path out of the project", "../../secret.yaml", /it leads out of the project, to .*secret\.yaml/],
    ["a link out of the project", "link.yaml", /it leads out of the project, to .*secret\.yaml/],
    ["a package's path out of the project", "pkg:a/../../../secret.yaml", /it leads out of the project/],
    ["a package out of the project", "pkg:linked/secret.yaml", /it leads out of the project/],
    ["an absolute path", "/etc/passwd", /the path is not relative to this file/],
    ["a home", "~/f.yaml", /the path is not relative to this file/],
    ["a folder", "folder", /it is a folder/],
    ["a FIFO", "fifo", /it is no regular file/],
    ["a device", "zero", /it leads out of the project, to \/dev\/zero/],
    ["a package without a file", "pkg:a", /it names no file of a package/],
    ["a package that is not there", "pkg:gone/f.yaml", /included file "pkg:gone\/f\.yaml" not found/],
    ["what may not be read", "closed.yaml", process.getuid?.() === 0 ? /EmptyFile/ : /permission denied/],
  ])("refuse %s", async (_, path, expected) => {
    write("secret.yaml", API);
    write("repo/shop/folder/f.yaml", API);
    write("repo/shop/closed.yaml", "");
    chmodSync(at("repo/shop/closed.yaml"), 0);
    mkdirSync(at("repo/node_modules/a"), { recursive: true });
    symlinkSync(root, at("repo/node_modules/linked"));
    symlinkSync(at("secret.yaml"), at("repo/shop/link.yaml"));
    symlinkSync("/dev/zero", at("repo/shop/zero"));
    execFileSync("mkfifo", [at("repo/shop/fifo")]);
    write("repo/shop/forwards.yaml", `include: "${path}"\n${API}`);
    expect(told((await load()).parsed)[0]).toMatch(expected);
  });

  test("a port that a compose file beside them publishes, and a local file that git tracks, are warned of", async () => {
    write("repo/shop/forwards.yaml", API);
    write("repo/shop/compose.yaml", 'services:\n  web:\n    ports:\n      - "8080:80"\n');
    write("repo/shop/forwards.local.yaml", "x-any: 1\n");
    execFileSync("git", ["init", "-q", at("repo")]);
    execFileSync("git", ["-C", at("repo"), "add", "shop"]);
    expect(told((await load()).parsed)).toEqual([
      "forwards.yaml:1:19 ComposeClash" +
        ': forward "api" binds local port 8080, which "web" of compose.yaml publishes too | use another port for one of them',
      "forwards.local.yaml:1:1 LocalFileTracked: git tracks this file, which is for one machine alone | git rm --cached forwards.local.yaml, and name it in .gitignore",
    ]);
    execFileSync("git", ["-C", at("repo"), "rm", "-q", "--cached", "shop/forwards.local.yaml"]);
    expect(told((await load()).parsed)).toHaveLength(1);
  });
});

function good(loaded: LoadedConfig): GoodConfig {
  const { parsed } = loaded;
  if (parsed.kind === "invalid") throw new Error(told(parsed).join("\n"));
  return { ...loaded, parsed };
}

describe("what needs trust", () => {
  const facts = (): PlaceFacts => ({
    env: { XDG_DATA_HOME: at("data") },
    uid: process.getuid?.(),
    platform: process.platform,
    home: at("home"),
  });
  const DANGERS: readonly (readonly [string, string, string])[] = [
    ["all addresses", "forwards: { a: { target: a, port: 8080, bind: 0.0.0.0 } }", "public-bind"],
    ["the bridge", "forwards: { a: { target: a, port: 8080, bind: docker } }", "public-bind"],
    [
      "an image",
      "forwards: { a: { target: a, port: 8080, via: relay, relay: { image: x } } }",
      "relay-image",
    ],
    ["an image for all", "relay: { image: x }\nforwards: { a: 8080:svc/a:80/udp }", "relay-image"],
    [
      "a patch of the relay's pod",
      "forwards: { a: { target: a, port: 8080, via: relay, relay: { patch: { spec: { hostPID: true } } } } }",
      "relay-patch",
    ],
    [
      "a label that makes the relay's pod one of a Service",
      "relay: { labels: { app: web } }\nforwards: { a: 8080:svc/a:80/udp }",
      "relay-pod",
    ],
    [
      "an annotation that changes the relay's pod",
      "relay: { annotations: { sidecar.istio.io/inject: 'true' } }\nforwards: { a: 8080:svc/a:80/udp }",
      "relay-pod",
    ],
    [
      "another service account of the relay's pod",
      "forwards: { a: { target: a, port: 8080, via: relay, relay: { serviceAccount: deployer } } }",
      "relay-pod",
    ],
    ["a port of the system", "forwards: { a: 1023:svc/a:80 }", "privileged-port"],
    [
      "a range from such a port",
      "ranges: { r: 1000-1100 }\nforwards: { a: { target: a, port: 80, local: auto, range: r } }",
      "privileged-port",
    ],
    ["a host", "forwards: { a: { target: host/10.0.0.1, port: 8080 } }", "host-target"],
    [
      "a variable that runs",
      "forwards: { a: { target: a, port: 8080, env: { PROMPT_COMMAND: x } } }",
      "obeyed-variable",
    ],
    ["a kubeconfig that runs", "kubeconfig: ./exec\nforwards: { a: 8080:svc/a:80 }", "kubeconfig-exec"],
    ["one in disguise", "kubeconfig: ./escaped\nforwards: { a: 8080:svc/a:80 }", "kubeconfig-exec"],
    ["one that is JSON", "kubeconfig: ./json\nforwards: { a: 8080:svc/a:80 }", "kubeconfig-exec"],
    ["one that sends files", "kubeconfig: ./token\nforwards: { a: 8080:svc/a:80 }", "kubeconfig-exec"],
    ["one that is broken", "kubeconfig: ./broken\nforwards: { a: 8080:svc/a:80 }", "kubeconfig-exec"],
  ];

  test.each(DANGERS)("%s", async (_, text, kind) => {
    write("repo/shop/exec", "users:\n- name: u\n  user:\n    exec: { command: touch }\n");
    write("repo/shop/escaped", 'users:\n- name: u\n  user:\n    "e\\x78ec": { command: touch }\n');
    write("repo/shop/json", '{"users":[{"user":{"auth-provider":{}}}]}');
    write("repo/shop/token", "users:\n- name: u\n  user: { tokenFile: /etc/shadow }\n");
    write("repo/shop/broken", "users: [\n");
    write("repo/shop/forwards.yaml", `${text}\n`);
    const config = good(await load());
    expect(trustQuestion(config, undefined, facts()).demands.map((one) => one.kind)).toEqual([kind]);
  });

  test("the image of a relay is told once, where it is chosen, if anything takes the relay", async () => {
    const demands = async (forwards: string) => {
      write("repo/shop/forwards.yaml", `relay: { image: x }\nforwards: { ${forwards} }\n`);
      return trustQuestion(good(await load()), undefined, facts()).demands.map(
        ({ message, source: { line, column } }) => `${line}:${column} ${message}`,
      );
    };
    const shared = '1:17 the relay runs the image "x" in your cluster';
    expect(await demands("a: 8080:svc/a:80, b: 1024:svc/b:80")).toEqual([]);
    expect(await demands("a: 8080:svc/a:80/udp, b: 8081:svc/b:80/udp, c: 8082:svc/c:80")).toEqual([shared]);
    const udp = "target: a, port: 8080, protocol: udp";
    expect(await demands(`a: { ${udp}, relay: { namespace: n } }`)).toEqual([shared]);
    expect(await demands(`a: { ${udp}, relay: { image: y } }`)).toEqual([
      '2:72 the relay runs the image "y" in your cluster',
    ]);
    write(
      "repo/shop/f.yaml",
      `defaults: { relay: { image: z } }\nforwards: { p: { ${udp} }, q: { ${udp}, local: 1024 } }\n`,
    );
    write("repo/shop/forwards.yaml", "include: f.yaml\n");
    expect(trustQuestion(good(await load()), undefined, facts()).demands).toHaveLength(1);
  });

  test("nothing else does: a kubeconfig of certificates, one from the command line, a forward that is off", async () => {
    write("repo/shop/certs", "users:\n- name: u\n  user: { client-certificate-data: aGk= }\n");
    write("repo/shop/exec", "users:\n- name: u\n  user:\n    exec: { command: touch }\n");
    write(
      "repo/shop/forwards.yaml",
      "kubeconfig: ./certs\nforwards: { a: 8080:svc/a:80, b: { target: host/x, port: 1, enabled: false } }\n",
    );
    expect(trustQuestion(good(await load()), undefined, facts()).demands).toEqual([]);
    const flagged = good(await load({ overrides: { kubeconfig: "exec" } }));
    expect(trustQuestion(flagged, at("repo/shop/exec"), facts()).demands).toEqual([]);
  });

  test("is remembered until one of the files changes, an include or a kubeconfig too", async () => {
    write("repo/shop/exec", "users:\n- name: u\n  user:\n    exec: { command: touch }\n");
    write("repo/shop/f.yaml", "forwards: { b: { target: host/x, port: 8081 } }\n");
    write("repo/shop/forwards.yaml", `include: f.yaml\nkubeconfig: ./exec\n${API}`);
    const ask = async () => trustQuestion(good(await load()), undefined, facts());
    expect(isAllowed(await ask(), facts())).toBe(false);
    allow(await ask(), facts());
    expect(isAllowed(await ask(), facts())).toBe(true);
    for (const [path, text] of [
      ["repo/shop/exec", "users:\n- name: u\n  user:\n    exec: { command: rm }\n"],
      ["repo/shop/f.yaml", "forwards: { b: { target: host/y, port: 8081 } }\n"],
      ["repo/shop/forwards.yaml", `include: f.yaml\nkubeconfig: ./exec\n${API}# more\n`],
    ] as const) {
      write(path, text);
      expect(isAllowed(await ask(), facts()), path).toBe(false);
      allow(await ask(), facts());
    }
  });

  test("is not believed where others can write it", async () => {
    write("repo/shop/forwards.yaml", "forwards: { b: { target: host/x, port: 8081 } }\n");
    const question = trustQuestion(good(await load()), undefined, facts());
    allow(question, facts());
    chmodSync(at("data/kfwd/trust"), 0o777);
    expect(isAllowed(question, facts())).toBe(false);
    expect(() => allow(question, facts())).toThrow(
      expect.objectContaining({ code: "STATE_FOLDER" }) as Error,
    );
  });
});

describe("protected contexts", () => {
  const found = async (
    env: Record<string, string>,
    names: readonly string[] | null,
    allowed: readonly string[],
  ) => {
    const facts = { env, uid: process.getuid?.(), platform: process.platform, home: at("home") };
    return protectedContext(good(await load()), names, allowed, facts);
  };

  test("are those of forwards, and the current one of a kubeconfig where a forward names none", async () => {
    write("k1", "apiVersion: v1\ncurrent-context: ''\n");
    write("k2", '{"kind":"Config","current-context":"prod-eu"}');
    write("home/.kube/config", 'current-context: "dev"\n');
    write(
      "repo/shop/forwards.yaml",
      'protect: ["*prod*"]\nforwards: { a: 8080:svc/a:80, b: { target: b, port: 8081, context: stg } }\n',
    );
    const glob = "*prod*";
    expect(await found({}, null, [])).toBeUndefined();
    expect(await found({ KUBECONFIG: `${at("k1")}:${at("gone")}:${at("k2")}` }, null, [])).toEqual({
      context: "prod-eu",
      glob,
      forward: "a",
    });
    expect(await found({ KUBECONFIG: at("k2") }, ["b"], [])).toBeUndefined();
    expect(await found({ KUBECONFIG: at("k2") }, null, ["prod-eu"])).toBeUndefined();
    write("home/.kube/config", "current-context: my-prod # here\n");
    expect(await found({}, null, [])).toMatchObject({ context: "my-prod" });
  });
});
