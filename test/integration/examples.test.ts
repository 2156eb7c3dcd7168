import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { httpGet } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { forwardsJsonSchema } from "../../src/schema/jsonschema.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

/** Every forwards.yaml below examples/, by its path there. */
const FILES = (await readdir(EXAMPLES, { recursive: true })).filter((path) => path.endsWith("forwards.yaml"));

test("the list of examples has each of them, and each is somewhere", async () => {
  const readme = await readFile(join(EXAMPLES, "README.md"), "utf8");
  const listed = [...readme.matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name);
  const folders = new Set(FILES.map((path) => path.split("/")[0]));
  expect(new Set(listed)).toEqual(folders);
  expect(folders.size).toBeGreaterThan(6);
  for (const [, path] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    await expect(readFile(join(EXAMPLES, path ?? ""))).resolves.toBeDefined();
  }
});

describe.concurrent.each(FILES)("%s", (path) => {
  test("is right, without a warning", async () => {
    await using project = await Project.create();
    const { status, stderr } = await project.run("check", "--strict", "-f", join(EXAMPLES, path));
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/, nothing wrong\n$/) as string,
    });
  });

  test("fits the schema that its first line names, with comments that explain it", async () => {
    const text = await readFile(join(EXAMPLES, path), "utf8");
    const [first = ""] = text.split("\n");
    const schema = /^# yaml-language-server: \$schema=(\S+)$/.exec(first)?.[1] ?? "";
    expect(JSON.parse(await readFile(join(EXAMPLES, path, "..", schema), "utf8"))).toEqual(
      forwardsJsonSchema(),
    );
    const validate = new Ajv({ strict: false }).compile(forwardsJsonSchema());
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  });
});

/** With the local ports of the file, at an address that nobody else listens on. */
describe.skipIf(process.platform !== "linux")("in the sandbox", () => {
  let world: SandboxWorld;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    const shop = ["api", "cart", "orders", "users", "admin", "mailpit"];
    world.sandbox.cluster.createNamespace("shop");
    world.sandbox.cluster.createNamespace("shop-staging");
    await Promise.all([
      ...shop.map((name) => world.deploy("shop", name)),
      world.statefulSet("shop", "postgres"),
      world.statefulSet("shop", "orders-db"),
      world.deploy("shop-staging", "api"),
      world.statefulSet("shop-staging", "postgres"),
    ]);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** The example's files, with a forwards.local.yaml beside them; contexts of these names lead to the sandbox. */
  async function copyOf(name: string, address: string, contexts: readonly string[]): Promise<Project> {
    const project = await Project.create();
    const kubeconfig = JSON.parse(world.sandbox.kubeconfig()) as {
      contexts: { name: string; context: object }[];
    };
    const [own] = kubeconfig.contexts;
    const copies = contexts.map((context) => ({ ...own, name: context }));
    const path = join(project.root, "kubeconfig");
    await writeFile(path, JSON.stringify({ ...kubeconfig, contexts: [own, ...copies] }));
    project.env["KUBECONFIG"] = path;
    await cp(join(EXAMPLES, name), project.folder, { recursive: true });
    await project.write(`defaults: { bind: ${address} }\n`, "forwards.local.yaml");
    return project;
  }

  function ownAddress(): string {
    return `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  }

  test("web-and-db runs", async () => {
    const address = ownAddress();
    await using project = await copyOf("web-and-db", address, []);
    expect((await project.ok("up", "--wait")).stderr).toMatch(/kfwd: ready 2\/2\n$/);
    expect(await httpGet(8080, address)).toContain("api-");
  });

  test("microservices runs; what is not required and what has a profile is not waited for", async () => {
    const address = ownAddress();
    await using project = await copyOf("microservices", address, []);
    expect((await project.ok("up", "--wait")).stderr).toMatch(/kfwd: ready \d\/5\n$/);
    expect(await httpGet(8081, address)).toContain("orders-");
    const [, port] = (await project.ok("port", "admin")).stdout.split(":");
    expect(await httpGet(Number(port), address)).toContain("admin-");
    expect((await project.ok("env", "orders-db", "--shell", "bash")).stdout).toBe(
      `export DATABASE_URL='postgres://orders@${address}:5432/orders'\n`,
    );
  });

  test("environments runs as dev and as staging at the same time", async () => {
    const address = ownAddress();
    await using project = await copyOf("environments", address, ["kind-dev", "gke_acme_staging"]);
    expect((await project.ok("up", "--wait")).stderr).toMatch(/kfwd: ready 3\/3\n$/);
    expect((await project.ok("up", "--wait", "-e", "staging")).stderr).toMatch(/kfwd: ready 2\/2\n$/);
    expect(await httpGet(8080, address)).toContain("api-");
    expect(await httpGet(18080, address)).toContain("api-");
    expect((await project.ok("port", "db", "-e", "staging")).stdout).toBe(`${address}:15432\n`);
    expect((await project.ok("port", "db")).stdout).toBe(`${address}:5432\n`);
    await project.ok("down", "-e", "staging");
    expect((await project.run("port", "db", "-e", "staging")).status).toBe(3);
    expect((await project.ok("port", "db")).stdout).toBe(`${address}:5432\n`);
  });
});
