import { beforeAll, describe, expect, test } from "vitest";
import { dial, expectEcho } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { UdpAsker } from "../rig/udpclient.ts";
import { fileOf, portsOf } from "./stage.ts";
import type { Finding } from "../../src/runtime/checkup.ts";
import type { RoleObject, World } from "./world.ts";

/** A verb of a rule of the Role. */
type Granted = `${string} ${string}`;

/** Which forwards are not to be had where one verb is missing. */
const WITHOUT: Readonly<Record<Granted, readonly string[]>> = {
  "list services": ["bare", "svc", "udp"],
  "list endpointslices": ["bare"],
  "list pods": ["bare", "deploy", "labels", "svc", "udp"], // a pod is looked at by its name
  "list deployments": ["deploy"],
  "create pods": ["udp"],
  "create pods/portforward": ["bare", "deploy", "labels", "pod", "svc", "udp"],
};

/** Verbs that could be spared, as `kfwd rbac` says. */
const SPARE: readonly Granted[] = [
  "watch services",
  "watch endpointslices",
  "watch pods",
  "watch deployments",
  "get pods",
  "get pods/portforward",
];

/** A user who may do what `kfwd rbac` prints and nothing else. */
export function describeRights(world: () => World): void {
  describe("rights", () => {
    let namespace: string;
    let file: string;
    let roles: readonly RoleObject[];

    beforeAll(async () => {
      namespace = await world().newNamespace();
      await Promise.all([world().deploy(namespace, "app"), world().createPod(namespace, "lone")]);
      const ports = [{ name: "main", port: 7000, targetPort: 7000 }];
      await world().createService(namespace, "bare", { selects: null, ports });
      await world().createSlice(namespace, "bare", { port: { name: "main", port: 7000 }, pod: "lone" });
      const udp = { name: "udp", port: 7000, targetPort: 7000, protocol: "UDP" as const };
      await world().createService(namespace, "udp", { selects: "app", ports: [udp] });
      const echo = { port: 7000, local: "auto" };
      const forwards = {
        svc: { target: "svc/app", ...echo },
        deploy: { target: "deploy/app", ...echo },
        pod: { target: "pod/lone", ...echo },
        labels: { target: { selector: "app=app" }, ...echo },
        bare: { target: "svc/bare", ...echo },
        udp: { target: "svc/udp", protocol: "udp", relay: { labels: { app: "relay" } }, ...echo },
      };
      file = fileOf(namespace, forwards, world().relayImage);
      await using project = await Project.create({ file });
      const { stdout } = await project.ok("rbac", "--json", "--serviceaccount", `${namespace}:someone`);
      roles = (JSON.parse(stdout) as { manifests: RoleObject[] }).manifests.filter(
        ({ kind }) => kind === "Role",
      );
    });

    /** A project of a user of that name, who may do all of the Role but some. */
    const projectWithout = async (user: string, without: readonly Granted[]): Promise<Project> => {
      const granted = roles.map((role) => ({ ...role, rules: rulesWithout(role, without) }));
      return Project.create({ kubeconfig: await world().grant(namespace, user, granted), file });
    };

    /** Relay pods that nobody has asked to end. */
    const relays = async () => (await world().podsOf(namespace, "relay")).filter(({ deleting }) => !deleting);

    test("says each verb once, and of each what is so without it", () => {
      const all = roles.flatMap(verbsOf);
      expect(all.toSorted()).toEqual([...Object.keys(WITHOUT), "delete pods", ...SPARE].toSorted());
    });

    test("TCP and UDP work, and nothing is left of the relay", async () => {
      await using project = await projectWithout("exact", []);
      await project.ok("up", "--wait");
      await useAll(project);
      await project.ok("down");
      expect(await relays()).toEqual([]);
    });

    test("they work without the verbs that could be spared, too", async () => {
      await using project = await projectWithout("frugal", SPARE);
      await project.ok("up", "--wait");
      await useAll(project);
    });

    test("`kfwd doctor` and the Role are of one mind, and a pod is reached", async () => {
      await using project = await projectWithout("patient", []);
      const { status, checks } = await doctorOf(project);
      expect(checks.filter(({ state }) => state === "bad")).toEqual([]);
      expect(status).toBe(0);
      const rights = checks.filter(({ id }) => id === "rights");
      expect(rights.map(({ about, says }) => [about, says])).toEqual(
        ["svc", "deploy", "pod", "labels", "bare", "udp"].map((name) => [name, "all that is needed"]),
      );
      expect(checks.find(({ id }) => id === "transport")?.says).toMatch(
        /^SPDY and SPDY in a WebSocket get through to pod /,
      );
    });

    test("`kfwd doctor` names the right that `get` does not replace since 1.35", async () => {
      await using project = await projectWithout("getter", ["create pods/portforward"]);
      const { status, checks } = await doctorOf(project);
      expect(status).toBe(4);
      const rights = checks.find(({ id, about }) => id === "rights" && about === "svc");
      expect(rights?.says).toContain("may not create pods/portforward");
      expect(rights?.says).toContain("not enough since Kubernetes 1.35");
      expect(rights?.hint).toContain("kfwd rbac");
    });

    test.each(Object.entries(WITHOUT))("without %s: not %j", async (verb, missing) => {
      await using project = await projectWithout(`no-${verb.replaceAll(/[^a-z]/g, "-")}`, [verb as Granted]);
      const { status } = await project.run("up", "--wait", "--wait-timeout", "30s");
      expect(status).toBe(4);
      const { entries } = await project.status();
      const denied = entries.filter(({ reason }) => reason?.kind === "denied");
      expect(denied.map(({ name }) => name).toSorted()).toEqual(missing);
      for (const { reason } of denied) expect(reason?.hint).toContain("kfwd rbac");
    });

    test("without delete pods: the relay is left behind", async () => {
      await using project = await projectWithout("no-delete-pods", ["delete pods"]);
      await project.ok("up", "--wait");
      await project.ok("down");
      const left = await relays();
      expect(left).toHaveLength(1);
      for (const { name } of left) await world().deletePod(namespace, name, { force: true });
    });
  });
}

async function doctorOf(
  project: Project,
): Promise<{ readonly status: number | null; readonly checks: readonly Finding[] }> {
  const { status, stdout } = await project.run("doctor", "--json");
  return { status, checks: (JSON.parse(stdout) as { checks: readonly Finding[] }).checks };
}

async function useAll(project: Project): Promise<void> {
  const port = await portsOf(project);
  for (const name of ["svc", "deploy", "pod", "labels", "bare"]) {
    const socket = await dial(port(name));
    await expectEcho(socket);
    socket.destroy();
  }
  await using asker = await UdpAsker.open(port("udp"));
  expect(await asker.keepAsking("anyone?")).toBe("anyone?");
}

function verbsOf({ rules }: RoleObject): readonly Granted[] {
  return rules.flatMap(({ verbs, resources }) =>
    verbs.flatMap((verb) => resources.map((resource): Granted => `${verb} ${resource}`)),
  );
}

function rulesWithout({ rules }: RoleObject, without: readonly Granted[]): RoleObject["rules"] {
  return rules
    .map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => !without.includes(`${verb} ${rule.resources.join()}`)),
    }))
    .filter(({ verbs }) => verbs.length > 0);
}
