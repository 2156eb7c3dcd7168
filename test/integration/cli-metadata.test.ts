import { expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { projectOf } from "../behaviour/stage.ts";

test("a host where machines keep credentials needs a flag of its own", async () => {
  await using world = await SandboxWorld.start();
  const host = { target: "host/169.254.169.254", port: 80, local: "auto" };
  await using project = await projectOf(world, await world.newNamespace(), { meta: host });
  const refused = await project.run("up", "-d");
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/^error: forward "meta" leads to "169\.254\.169\.254"/m);
  expect(refused.stderr).toContain("--allow-metadata 169.254.169.254");
  expect((await project.run("status")).status).toBe(3);
  expect((await project.run("check")).stderr).toContain("--allow-metadata");
  await project.ok("up", "--wait", "--allow-metadata", "10.0.0.1,169.254.169.254");
  expect(await project.forward("meta")).toMatchObject({ state: "ready" });
  await project.ok("down");
});
