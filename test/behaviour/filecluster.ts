/** What commands around the file ask a cluster without a supervisor: `check --cluster` and `init --from-cluster`. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Project } from "../rig/project.ts";
import { fileOf, projectOf } from "./stage.ts";
import type { World } from "./world.ts";

export function describeFileAndCluster(world: () => World): void {
  describe.concurrent("the file and the cluster", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "app");
      await world().deploy(namespace, "empty", { replicas: 0 });
      await world().createService(namespace, "abroad", { externalName: "example.com" });
    });

    test("check --cluster names the pod of each forward, and starts nothing", async () => {
      const api = { target: "svc/app", port: "http", local: 8080 };
      const web = { target: "deploy/app", port: 7000, local: 8084 };
      await using project = await projectOf(world(), namespace, { api, web });
      await project.write(fileOf(namespace, { api, web })); // no relay image, of which there would be a warning
      const { stdout, stderr } = await project.ok("check", "--cluster", "--color", "never");
      const where = `(${world().context}, ${namespace})`;
      const lines = stdout.trimEnd().split("\n");
      expect(lines[0]).toMatch(/^✔ api {2}app-\S+:8080 {2}/);
      expect(lines[1]).toMatch(/^✔ web {2}app-\S+:7000 {2}/);
      expect(lines.every((line) => line.endsWith(where))).toBe(true);
      expect(stderr).toBe("forwards.yaml: 2 forwards, nothing wrong\n");
      expect(project.processes()).toEqual([]);
    });

    test("check --cluster says what is not there, each with what to do, and exits 1", async () => {
      await using project = await projectOf(world(), namespace, {
        typo: { target: "svc/appp", port: 80, local: 8081 },
        port: { target: "svc/app", port: 81, local: 8082 },
        none: { target: "deploy/empty", port: 7000 },
        fine: { target: "svc/app", port: 80, local: 8083 },
      });
      const { status, stdout } = await project.run("check", "--cluster", "--json");
      expect(status).toBe(1);
      const { ok, cluster } = JSON.parse(stdout) as {
        ok: boolean;
        cluster: readonly { name: string; ok: boolean; reason: { code: string; hint: string } | null }[];
      };
      expect(ok).toBe(false);
      expect(cluster.map(({ name, reason }) => [name, reason?.code ?? null])).toEqual([
        ["typo", "ServiceMissing"],
        ["port", "PortMissing"],
        ["none", "NoPods"],
        ["fine", null],
      ]);
      expect(cluster[0]?.reason?.hint).toContain('did you mean "app"?');
    });

    test("a forward that is not required fails no check", async () => {
      await using project = await projectOf(world(), namespace, {
        extra: { target: "svc/ap", port: 80, local: 8081, required: false },
      });
      const { status, stdout } = await project.run("check", "--cluster");
      expect({ status, stdout }).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^✖ extra/) as string,
      });
    });

    test("check --cluster asks for each right: what is lacking is named, exit 4", async () => {
      const text = fileOf(namespace, { api: { target: "svc/app", port: 80, local: 8080 } });
      const as = async (kubeconfig: string) => {
        await using project = await Project.create({ kubeconfig, file: text });
        const { status, stdout } = await project.run("check", "--cluster", "--json");
        const { cluster } = JSON.parse(stdout) as { cluster: readonly { lacking: readonly string[] }[] };
        return { status, lacking: cluster[0]?.lacking };
      };
      expect(await as(await world().viewer(namespace))).toEqual({
        status: 4,
        lacking: ["create pods/portforward"],
      });
      expect(await as(world().kubeconfig("nobody"))).toEqual({
        status: 4,
        lacking: ["list services", "watch services", "list pods", "watch pods", "create pods/portforward"],
      });
    });

    test("check --cluster without a kubeconfig, or with a context that is not there: exit 4", async () => {
      const forwards = { api: { target: "svc/app", port: 80, local: 8080 } };
      await using nowhere = await Project.create({ file: fileOf(namespace, forwards) });
      expect(await nowhere.run("check", "--cluster")).toMatchObject({
        status: 4,
        stdout: expect.stringMatching(/^✖ api {2}.*kubeconfig/) as string,
      });
      await using project = await projectOf(world(), namespace, forwards);
      expect(await project.run("check", "--cluster", "-C", "nowhere")).toMatchObject({
        status: 4,
        stdout: expect.stringMatching(/^✖ api {2}.*"nowhere"/) as string,
      });
    });

    test("a file that is wrong is not taken to the cluster", async () => {
      await using project = await Project.create({ file: "forwards: { a: { target: svc/a, prot: 1 } }\n" });
      const { status, stdout } = await project.run("check", "--cluster");
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    });

    test("init --from-cluster writes a forward for each port of the Services that have pods", async () => {
      await using project = await Project.create({ kubeconfig: world().kubeconfig("admin") });
      await mkdir(join(project.folder, ".git"));
      await writeFile(join(project.folder, ".gitignore"), "dist");
      const { stderr } = await project.ok("init", "--from-cluster", "-n", namespace);
      expect(stderr).toContain("left out abroad: the Service has no pods of its own\nwrote forwards.yaml\n");
      const text = await readFile(join(project.folder, "forwards.yaml"), "utf8");
      expect(text).toMatch(
        /^# yaml-language-server: \$schema=\.\/node_modules\/kfwd\/schema\/forwards\.v1\.json\n/,
      );
      expect(text).toContain(`\nnamespace: ${namespace}\n`);
      expect(text).toContain('  app-http: "8080:svc/app:http"\n');
      expect(text).toContain('  empty-http: "8081:svc/empty:http"\n');
      expect(await readFile(join(project.folder, ".gitignore"), "utf8")).toBe("dist\nforwards.local.yaml\n");

      await project.ok("check", "--strict");
      const { stdout } = await project.ok("config", "--names");
      expect(stdout.split("\n").filter((name) => name.startsWith("app-")).length).toBeGreaterThan(5);
      const ports = (await project.ok("config", "-o", "json")).stdout;
      const locals = Object.values(
        (JSON.parse(ports) as { forwards: Record<string, { local: number }> }).forwards,
      );
      expect(new Set(locals.map(({ local }) => local)).size).toBe(locals.length);
    });

    test("init --from-cluster takes Services as kubectl makes them, and an absolute kubeconfig", async () => {
      const made = await world().newNamespace();
      const ports = [
        { name: "80-8080", port: 80, targetPort: 8080 },
        { name: "5432", port: 81, targetPort: 81 },
      ];
      await world().createService(made, "web", { ports });
      await using project = await Project.create();
      const kubeconfig = world().kubeconfig("admin");
      await project.ok("init", "--from-cluster", "-n", made, "--kubeconfig", kubeconfig);
      const text = await readFile(join(project.folder, "forwards.yaml"), "utf8");
      expect(text).toContain('port: "80-8080"\n');
      expect(text).toContain('svc/web:81"\n');
      expect(text).not.toContain("Left out");
      await project.ok("check");
    });

    test("import --from-cluster takes what kftray has noted on Services, and says what it could not", async () => {
      const noted = await world().newNamespace();
      const annotations = (configs?: string) => ({
        "kftray.app/enabled": "true",
        ...(configs !== undefined && { "kftray.app/configs": configs }),
      });
      const ports = [{ name: "http", port: 80, targetPort: 8080 }];
      await world().createService(noted, "web", {
        ports,
        annotations: annotations("shop-web-18080-http, nonsense"),
      });
      await world().createService(noted, "api", {
        ports: [{ name: "api", port: 18081, targetPort: 8080 }],
        annotations: annotations(),
      });
      await world().createService(noted, "off", { ports, annotations: { "kftray.app/enabled": "false" } });
      await using project = await Project.create({ kubeconfig: world().kubeconfig("admin") });
      const { stdout, stderr } = await project.ok("import", "--from-cluster", "-n", noted);
      expect(stdout).toContain('  shop-web: "18080:svc/web:http"\n');
      expect(stdout).toContain('  api: "18081:svc/api:api"\n');
      expect(stdout).toContain(`\nnamespace: ${noted}\n`);
      expect(stdout).not.toContain("svc/off");
      expect(stderr).toContain("left out web: nonsense: kftray.app/configs is alias-localport-targetport\n");
      expect(stderr).toContain("2 forwards from the cluster\n");
      const all = await project.ok(
        "import",
        "--from-cluster",
        "-A",
        "-C",
        world().context,
        "-o",
        "forwards.yaml",
      );
      expect(all.stdout).toBe("");
      expect((await project.ok("config", "--names")).stdout).toContain("shop-web\n");
      expect(await project.run("import", "--from-cluster", "-n", namespace)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(
          `no Service in namespace "${namespace}" has kftray's annotations`,
        ) as string,
      });
      const denied = await Project.create({ kubeconfig: world().kubeconfig("nobody") });
      expect((await denied.run("import", "--from-cluster", "-n", noted)).status).toBe(4);
      await denied[Symbol.asyncDispose]();
    });

    test("init --from-cluster where there is nothing: exit 2, and no file", async () => {
      const bare = await world().newNamespace();
      await using project = await Project.create({ kubeconfig: world().kubeconfig("admin") });
      expect(await project.run("init", "--from-cluster", "-n", bare)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("has no Service to forward to") as string,
      });
      expect(await project.run("check")).toMatchObject({ status: 2 });
    });
  });
}
