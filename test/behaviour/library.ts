import { beforeAll, describe, expect, test, vi } from "vitest";
import { within } from "../rig/client.ts";
import { installIn, nothingRuns, program } from "../rig/library.ts";
import type { Project } from "../rig/project.ts";
import { projectOf, type Forwards } from "./stage.ts";
import type { World } from "./world.ts";

/** For pods, image and all. */
const AGAIN_MS = 60_000;

/** Programs that keep forwards by `import { up } from "kfwd"`. */
export function describeLibrary(world: () => World): void {
  describe.concurrent("a program that keeps forwards", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await world().deploy(namespace, "app");
    });

    const web = { target: "svc/app", port: "http", local: "auto" };
    const relayed = { ...web, via: "relay" };

    async function projectWith(forwards: Forwards, own = namespace): Promise<Project> {
      const project = await projectOf(world(), own, forwards);
      await installIn(project);
      return project;
    }

    const relaysLeft = async (): Promise<readonly string[]> =>
      (await world().podNames(namespace)).filter((name) => name.startsWith("kfwd-"));

    const noRelayIsLeft = (): Promise<void> =>
      vi.waitFor(async () => expect(await relaysLeft()).toEqual([]), { timeout: AGAIN_MS, interval: 200 });

    test("is served all through a rollout, and told of it", async () => {
      const own = await world().newNamespace();
      await world().deploy(own, "app", { lingerMs: 500 });
      await using project = await projectWith({ web }, own);
      const running = await program(
        project,
        `const forwards = await up();
        const pods = new Set([forwards.web.status.pod]);
        const events = forwards.$events();
        const told = (async () => { for await (const { status } of events) if (status.state === "ready") pods.add(status.pod); })();
        let [served, failed, over] = [0, 0, false];
        process.once("message", () => (over = true));
        say("up");
        while (!over) {
          await fetch(forwards.web.url, { headers: { connection: "close" } }).then((answer) => answer.text())
            .then(() => served++, () => failed++);
        }
        await forwards.$close();
        await told;
        say([served > 0, failed, pods.size > 1]);
        process.disconnect();`,
        { channel: "ipc" },
      );
      await running.says(/^up$/m, AGAIN_MS);
      await world().rollout(own, "app", { lingerMs: 500 });
      running.child.send("enough");
      const { status, stdout, stderr } = await within(running.ended, AGAIN_MS);
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "up\n[true,0,true]\n", stderr: "" });
      await nothingRuns(project);
    });

    test("has its relay's pod deleted when it closes them, and when it is killed", async () => {
      await using project = await projectWith({ relayed });
      const running = await program(
        project,
        `const first = await up();
        say(await (await fetch(first.relayed.url)).text());
        await first.$close();
        process.once("message", async () => {
          const second = await up();
          say("again " + second.relayed.status.relay.state);
          setInterval(() => {}, 1000);
        });
        say("closed");`,
        { channel: "ipc" },
      );
      await running.says(/^closed$/m, AGAIN_MS);
      expect(running.stdout).toMatch(/^hello from app/);
      await noRelayIsLeft();
      running.child.send("again");
      await running.says(/^again running$/m, AGAIN_MS);
      expect(await relaysLeft()).toHaveLength(1);
      running.kill("SIGKILL");
      await nothingRuns(project);
      await noRelayIsLeft();
    });
  });
}
