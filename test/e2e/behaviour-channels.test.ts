import { afterAll, beforeAll, expect, test } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { fileOf, portsOf } from "../behaviour/stage.ts";
import { ask, exchange } from "../rig/client.ts";
import { talk, talksOf, wholeOf } from "../rig/pieces.ts";
import { Project } from "../rig/project.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

test("behind a gateway that lets only v4.channel.k8s.io through: what streams do, they do there too", async () => {
  const namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
  const asked: (string | undefined)[] = [];
  const kubeconfig = await world.behindGateway(namespace, (headers) => {
    const protocol = headers["sec-websocket-protocol"];
    asked.push(protocol ?? headers.upgrade);
    return protocol === "v4.channel.k8s.io";
  });
  const forward = (port: number) => ({ target: "svc/app", port, local: "auto" });
  const file = fileOf(namespace, {
    greeting: forward(7001),
    slow: forward(7002),
    mebibyte: forward(7003),
    breaking: forward(7004),
    nobody: { target: "deploy/app", port: 7999, local: "auto" },
    talk: forward(7010),
  });
  await using project = await Project.create({ kubeconfig, file });
  await project.ok("up", "--wait");
  const port = await portsOf(project);
  const talks = talksOf(1, 10);

  await Promise.all([
    expect(ask(port("greeting"))).resolves.toMatch(/^220 app-\S+ ready\n/),
    expect(exchange(port("slow"), "question\n", { halfClose: true })).resolves.toMatchObject({
      received: Buffer.from("answer to question\n"),
      end: "closed",
    }),
    expect(exchange(port("mebibyte"))).resolves.toMatchObject({ end: "closed" }),
    expect(exchange(port("breaking"), "question\n")).resolves.toMatchObject({ end: "reset" }),
    expect(exchange(port("nobody"), "anyone?\n")).resolves.toMatchObject({ end: "reset" }),
    expect(Promise.all(talks.map((each) => talk(port("talk"), each)))).resolves.toEqual(talks.map(wholeOf)),
  ]);
  expect((await project.forward("nobody")).lastError?.message).toMatch(
    /refused port 7999: nothing listens there/,
  );
  expect(asked.filter((way) => way === "v4.channel.k8s.io").length).toBeGreaterThan(talks.length);
  expect(asked.slice(0, 3)).toContain("SPDY/3.1");
});
