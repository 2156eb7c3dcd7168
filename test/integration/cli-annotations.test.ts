import { expect, test } from "vitest";
import { Project } from "../rig/project.ts";

test("under GitHub Actions each finding is also a line that marks its place", async () => {
  await using project = await Project.create({
    file: 'forwards:\n  db: { target: svc/db, port: 5432, prot: udp }\n  a: "80:svc/a:http"\n',
  });
  const env = { GITHUB_ACTIONS: "true", GITHUB_WORKSPACE: "" };
  const bad = await project.start(["check"], { env }).ended;
  expect([bad.status, bad.stderr.split("\n")[0]]).toEqual([
    2,
    '::error file=forwards.yaml,line=2,col=37,endColumn=41,title=UnknownKey::unknown key "prot" in forward "db"%0Ahint: did you mean "port" or "protocol"?',
  ]);
  expect(bad.stderr).toContain('error: unknown key "prot" in forward "db"\n  forwards.yaml:2:37');
  await project.write('forwards: { a: "80:svc/a:http" }\n');
  const warned = await project.start(["check"], { env }).ended;
  expect([warned.status, warned.stderr.split("\n")[0]]).toEqual([
    0,
    expect.stringContaining(
      '::forward "a" binds local port 80: ports below 1024 need root on most systems%0Ahint: local: 8080',
    ),
  ]);
  expect((await project.run("check")).stderr).not.toContain("::");
});
