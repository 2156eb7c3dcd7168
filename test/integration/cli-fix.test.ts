import { mkdirSync } from "node:fs";
import { chmod, link, lstat, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI, Project } from "../rig/project.ts";

const FILE = `# ports of the team\r
forwards:
  api: 8080:svc/api:http   # täglich
  db:   "5432:sts/db:5432"
  web: { target: svc/web, port: 8081 }
  some: $\{PORT:-9000}:svc/some:80
environments:
  dev: { forwards: { api: 8090:svc/api:http } }
  staging:
    forwards:
      api: 8091:svc/api:http
`;
const FIXED = FILE.replace("8080:svc/api:http", '"8080:svc/api:http"')
  .replace("8090:svc/api:http", '"8090:svc/api:http"')
  .replace("8091:svc/api:http", '"8091:svc/api:http"');

describe.concurrent("check --fix", () => {
  const text = (project: Project, name = "forwards.yaml"): Promise<string> =>
    readFile(join(project.folder, name), "utf8");

  test("puts forwards in one line into quotes, in every environment, and leaves every other byte alone", async () => {
    await using project = await Project.create({ file: FILE });
    await project.write("forwards: { api: 8082:svc/api:http }\n", "forwards.local.yaml");
    const shown = await project.ok("check", "--fix", "--dry-run");
    expect(shown.stdout.split("\n").filter((line) => /^[-+]/.test(line))).toEqual([
      "--- a/forwards.yaml",
      "+++ b/forwards.yaml",
      "-  api: 8080:svc/api:http   # täglich",
      '+  api: "8080:svc/api:http"   # täglich',
      "-  dev: { forwards: { api: 8090:svc/api:http } }",
      '+  dev: { forwards: { api: "8090:svc/api:http" } }',
      "-      api: 8091:svc/api:http",
      '+      api: "8091:svc/api:http"',
      "--- a/forwards.local.yaml",
      "+++ b/forwards.local.yaml",
      "-forwards: { api: 8082:svc/api:http }",
      '+forwards: { api: "8082:svc/api:http" }',
    ]);
    expect(await text(project)).toBe(FILE);
    const { stderr } = await project.ok("check", "--fix");
    expect(stderr).toContain("forwards.yaml: mended 3 lines\nforwards.local.yaml: mended 1 line\n");
    expect(stderr).not.toContain("is not in quotes");
    expect(await text(project)).toBe(FIXED);
    expect(await text(project, "forwards.local.yaml")).toBe('forwards: { api: "8082:svc/api:http" }\n');
    expect((await project.ok("check", "--fix")).stderr).toContain("nothing to mend\n");
  });

  test("a file that is included, one that says so by lint, and one with errors stay as they are", async () => {
    await using project = await Project.create({
      file: `include: [other/f.yaml]\n${FILE}lint: { unquoted-compact: off }\n`,
    });
    mkdirSync(join(project.folder, "other"));
    await project.write("forwards: { there: 8085:svc/api:http }\n", "other/f.yaml");
    expect((await project.ok("check", "--fix")).stderr).toContain("nothing to mend\n");
    await project.write(`include: [other/f.yaml]\n${FILE}`);
    const { stdout } = await project.ok("check", "--fix", "--json");
    expect((JSON.parse(stdout) as { fixed: readonly object[] }).fixed).toEqual([
      { rule: "unquoted-compact", file: "forwards.yaml", line: 4, column: 8, text: '"8080:svc/api:http"' },
      expect.objectContaining({ line: 9 }),
      expect.objectContaining({ line: 12 }),
    ]);
    expect(await text(project, "other/f.yaml")).toBe("forwards: { there: 8085:svc/api:http }\n");
    const broken = `${FILE}nonsense: 1\n`;
    await writeFile(join(project.folder, "forwards.yaml"), broken);
    expect(await project.run("check", "--fix")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('unknown key "nonsense"') as string,
    });
    expect(await text(project)).toBe(broken);
  });

  test("writes nothing when one of the files is read-only or has several hard links, and says which", async () => {
    await using project = await Project.create({ file: FILE });
    const local = "forwards: { api: 8082:svc/api:http }\n";
    await project.write(local, "forwards.local.yaml");
    const path = join(project.folder, "forwards.local.yaml");
    const refused = async (message: string, hint: string): Promise<void> => {
      const { status, stderr } = await project.run("check", "--fix");
      expect([status, stderr]).toEqual([2, expect.stringContaining(`error: ${message}\nhint: ${hint}\n`)]);
      expect([await text(project), await text(project, "forwards.local.yaml")]).toEqual([FILE, local]);
    };
    await chmod(path, 0o444);
    await refused('cannot write "forwards.local.yaml": it is read-only', "chmod u+w forwards.local.yaml");
    expect((await project.ok("check", "--fix", "--dry-run")).stdout).toContain("+++ b/forwards.local.yaml");
    await chmod(path, 0o644);
    await link(path, join(project.folder, "twin.yaml"));
    await refused(
      'cannot write "forwards.local.yaml": it has 2 hard links, of which this one alone would be mended',
      "mend the lines yourself: kfwd check --fix --dry-run",
    );
    expect((await stat(path)).nlink).toBe(2);
  });

  test.skipIf(process.platform === "win32")("mends the file that a symbolic link leads to", async () => {
    await using project = await Project.create({ file: FILE });
    mkdirSync(join(project.folder, "real"));
    await rename(join(project.folder, "forwards.yaml"), join(project.folder, "real", "f.yaml"));
    await symlink(join("real", "f.yaml"), join(project.folder, "forwards.yaml"));
    await project.ok("check", "--fix");
    expect((await lstat(join(project.folder, "forwards.yaml"))).isSymbolicLink()).toBe(true);
    expect(await text(project, "real/f.yaml")).toBe(FIXED);
  });

  test.skipIf(process.platform === "win32")(
    "leaves a file as it is that the disk has no room for",
    async () => {
      const long = `${FILE}${"# the words of a team about its ports\n".repeat(200)}`;
      await using project = await Project.create({ file: long });
      // A write beyond the limit comes out short and without an error, as on a disk that gets full.
      const limited = 'trap "" XFSZ; ulimit -f 4; exec "$@"';
      const args = ["-c", limited, "bash", process.execPath, CLI, "check", "--fix"];
      const { status, stderr } = await project.exec("bash", args).ended;
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining('cannot write "forwards.yaml"') as string,
      ]);
      expect(await text(project)).toBe(long);
      expect(await readdir(project.folder)).toEqual(["forwards.yaml"]);
    },
  );

  test.each([
    [["check", "--dry-run"], "--dry-run is for --fix"],
    [["check", "--fix", "-f", "-"], "--fix cannot go with -f -"],
  ])("kfwd %j is refused", async (args, words) => {
    await using project = await Project.create({ file: FILE });
    const { status, stderr } = await project.run(...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(words) as string]);
  });
});
