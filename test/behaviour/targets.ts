import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, httpGet } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { bringUp, portsOf, projectOf } from "./stage.ts";
import type { World } from "./world.ts";

/** Each way to say what a forward leads to, and what answers there. */
const GOOD = {
  "port-name": [{ target: "svc/web", port: "http" }, /^hello from web-/],
  "port-number": [{ target: "svc/web", port: 80 }, /^hello from web-/],
  "pod-port-name": [{ target: "svc/web", targetPort: "http" }, /^hello from web-/],
  "pod-port-number": [{ target: "svc/web", targetPort: 8080 }, /^hello from web-/],
  "only-port": [{ target: "svc/single" }, /^hello from web-/],
  "one-word": [{ target: "web", port: 80 }, /^hello from web-/],
  headless: [{ target: "svc/db", port: 80 }, /^hello from db-0/],
  deployment: [{ target: "deploy/web", port: 8080 }, /^hello from web-/],
  "named-port-of-a-deployment": [{ target: "deployment/web", port: "http" }, /^hello from web-/],
  "stateful-set": [{ target: "sts/db", port: "http" }, /^hello from db-0/],
  pod: [{ target: "pod/db-0", port: 8080 }, /^hello from db-0/],
  labels: [{ target: { selector: { app: "web" } }, port: "http" }, /^hello from web-/],
  "pod-of-a-slice": [{ target: "svc/kept-by-hand", port: 80 }, /^hello from db-0/],
  "other-namespace": [{ target: "OTHER/svc/web", port: "http" }, /^hello from web-/],
} as const satisfies Record<string, readonly [Readonly<Record<string, unknown>>, RegExp]>;

/** What cannot be reached: the code and words of the reason. `NAMESPACE` stands for the one in use. */
const BAD = {
  "no-service": [
    { target: "svc/wep", port: 80 },
    "ServiceMissing",
    /^service "wep" not found in namespace "NAMESPACE"/,
  ],
  "no-port-number": [
    { target: "svc/web", port: 81 },
    "PortMissing",
    /^service "web" has no port 81; ports: http 80→http, p7000 7000, p7001 7001/,
  ],
  "no-port-name": [
    { target: "svc/web", port: "htpp" },
    "PortMissing",
    /^service "web" has no port "htpp"; ports: http /,
  ],
  "pods-port-taken-for-the-services": [
    { target: "svc/numbered", port: 8080 },
    "PortMissing",
    /^service "numbered" has no port 8080; ports: main 80→8080$/,
  ],
  "no-port-said": [
    { target: "svc/web" },
    "PortMissing",
    /^service "web" has 15 ports, so one must be named; ports: http /,
  ],
  "no-pod-port": [{ target: "deploy/web", port: "grpc" }, "PortMissing", /no port "grpc"/],
  udp: [
    { target: "svc/names", port: "dns" },
    "PortProtocol",
    /^port "dns" of service "names" is UDP, and the forward is TCP$/,
  ],
  "no-deployment": [
    { target: "deploy/wep", port: 80 },
    "DeploymentMissing",
    /^deployment "wep" not found in namespace "NAMESPACE"/,
  ],
  "no-stateful-set": [
    { target: "sts/dp", port: 80 },
    "StatefulSetMissing",
    /^statefulset "dp" not found in namespace "NAMESPACE"/,
  ],
  "no-pod": [
    { target: "pod/db-1", port: 80 },
    "PodMissing",
    /^pod "db-1" not found in namespace "NAMESPACE"/,
  ],
  "no-labels": [
    { target: { selector: { app: "wep" } }, port: 80 },
    "NoPods",
    /^no pods match the selector "app=wep" in namespace "NAMESPACE"/,
  ],
  "external-name": [
    { target: "svc/outside", port: 80 },
    "ExternalName",
    /^service "outside" is only a name for "db.example.com", outside the cluster$/,
  ],
  "no-selector": [
    { target: "svc/manual", port: 80 },
    "NoSelector",
    /^service "manual" has no selector, so it has no pods to forward to$/,
  ],
  "slice-without-pods": [
    { target: "svc/legacy", port: 80 },
    "NoSelector",
    /^service "legacy" has no selector and leads to 192\.0\.2\.1, which is no pod in namespace "NAMESPACE"$/,
  ],
} as const satisfies Record<string, readonly [Readonly<Record<string, unknown>>, string, RegExp]>;

/** Hints that tell what is there instead. */
const HINTS: readonly (readonly [keyof typeof BAD, RegExp])[] = [
  ["no-service", /"web"/],
  ["no-port-name", /"http"/],
  [
    "pods-port-taken-for-the-services",
    /^8080 is the port of the pod: set `port: 80`, or `targetPort: 8080`$/,
  ],
  ["no-deployment", /"web"/],
  ["no-pod", /"db-0"/],
  ["udp", /^set `protocol: udp` of this forward, or another port$/],
  ["no-selector", /selector/],
  ["slice-without-pods", /^`target: host\/legacy\.\S+\.svc` goes there through the relay$/],
  ["external-name", /^`target: host\/db\.example\.com` goes there through the relay$/],
];

/** What forwards.yaml may name, and what status says of what is not there. */
export function describeTargets(world: () => World): void {
  describe("targets", () => {
    let namespace: string;
    let good: Project;
    let bad: Project;
    let port: (name: string) => number;

    beforeAll(async () => {
      namespace = await world().newNamespace();
      const other = await world().newNamespace();
      await Promise.all([
        world().deploy(namespace, "web"),
        world().deploy(other, "web"),
        world().deploy(namespace, "moving"),
        world().statefulSet(namespace, "db"),
        world().createService(namespace, "single", {
          selects: "web",
          ports: [{ name: "main", port: 80, targetPort: "http" }],
        }),
        world().createService(namespace, "numbered", {
          selects: "web",
          ports: [{ name: "main", port: 80, targetPort: 8080 }],
        }),
        world().createService(namespace, "names", {
          selects: "web",
          ports: [{ name: "dns", port: 53, targetPort: 53, protocol: "UDP" }],
        }),
        world().createService(namespace, "outside", { externalName: "db.example.com", ports: [] }),
        world().createService(namespace, "manual", {
          selects: null,
          ports: [{ name: "main", port: 80, targetPort: 80 }],
        }),
        ...["kept-by-hand", "legacy"].map((name) =>
          world().createService(namespace, name, {
            selects: null,
            ports: [{ name: "main", port: 80, targetPort: 80 }],
          }),
        ),
        world().createSlice(namespace, "kept-by-hand", {
          port: { name: "main", port: 8080 },
          pod: "db-0",
        }),
        world().createSlice(namespace, "legacy", { port: { name: "main", port: 80 } }),
      ]);
      const entries = Object.entries(GOOD).map(([name, [forward]]) => {
        const target =
          typeof forward.target === "string" ? forward.target.replace("OTHER", other) : forward.target;
        return [name, { ...forward, target, local: "auto" }] as const;
      });
      good = await bringUp(world(), namespace, {
        ...Object.fromEntries(entries),
        compact: "auto:svc/web:http",
        moving: { target: "svc/moving", port: "http", local: "auto" },
      });
      port = await portsOf(good);
      bad = await projectOf(
        world(),
        namespace,
        Object.fromEntries(
          Object.entries(BAD).map(([name, [forward]]) => [name, { ...forward, local: "auto" }]),
        ),
      );
      await bad.ok("up", "-d");
    });

    afterAll(async () => {
      await good[Symbol.asyncDispose]();
      await bad[Symbol.asyncDispose]();
    });

    test.each(Object.entries(GOOD).map(([name, [, answer]]) => ({ name, answer })))(
      "$name is reached",
      async ({ name, answer }) => {
        expect(await httpGet(port(name))).toMatch(answer);
      },
    );

    test("the one-line form is reached", async () => {
      expect(await httpGet(port("compact"))).toMatch(/^hello from web-/);
    });

    test("a named port is looked up in each pod: a rollout may give it another number", async () => {
      expect(await httpGet(port("moving"))).toMatch(/^hello from moving-/);
      await world().rollout(namespace, "moving", { httpPort: 7001 });
      await good.until("moving", ({ state, podPort }) => state === "ready" && podPort === 7001);
      expect(await ask(port("moving"), "")).toMatch(/^220 moving-\S+ ready\n$/);
    });

    test.each(Object.entries(BAD).map(([name, [, code, message]]) => ({ name, code, message })))(
      "$name waits and says why",
      async ({ name, code, message }) => {
        const status = await bad.forward(name);
        expect(status.state).toBe("waiting");
        expect(status.reason?.code).toBe(code);
        expect(status.reason?.message.replace(namespace, "NAMESPACE")).toMatch(message);
      },
    );

    test.each(HINTS)("%s has a hint at what is there", async (name, hint) => {
      expect((await bad.forward(name)).reason?.hint).toMatch(hint);
    });

    test("a forward that waits is not ready in time: `up --wait` says which and why, and exits 1", async () => {
      const { status, stderr } = await bad.run("up", "--wait", "--wait-timeout", "300ms");
      expect(status).toBe(1);
      const count = Object.keys(BAD).length;
      expect(stderr).toContain(`${count} of ${count} not ready after 0.3 s: no-service (ServiceMissing)`);
      expect(stderr).toContain(`kfwd: degraded 0/${count}`);
    });
  });
}
