/** The sandbox is a server that kubectl can use: what our own client sees there is not of our own making alone. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TUNNEL_PROTOCOL } from "../../src/runtime/wire/websocket.ts";
import { echoApp } from "../../src/sandbox/apps.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { Running } from "../rig/project.ts";

const present = spawnSync("kubectl", ["version", "--client"]).status === 0;

const ECHO = 7;
/** Nothing listens. */
const CLOSED = 9999;

describe.skipIf(!present)(
  `kubectl port-forward${present ? "" : " (left out: no kubectl on the PATH)"}`,
  () => {
    let sandbox: Sandbox;
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "kfwd-kubectl-"));
      sandbox = await Sandbox.start({ runtime: { lingerMs: 20 } });
      sandbox.cluster.createPod("shop", { name: "p", app: { [ECHO]: echoApp() } });
      await sandbox.until(() => sandbox.pods.host("shop", "p"));
      await sandbox.writeKubeconfig(join(folder, "config"));
    });

    beforeEach(() => {
      sandbox.faults.clear();
      sandbox.requests.clear();
    });

    afterAll(async () => {
      await sandbox[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    /** Forwards a local port of the system's choice to a port of the pod, for as long as `use` takes. */
    async function forward(
      port: number,
      websockets: "true" | "false",
      use: (local: number, kubectl: Running) => Promise<void>,
    ): Promise<void> {
      const args = ["--namespace=shop", "port-forward", "pod/p", `:${port}`];
      const child = spawn("kubectl", args, {
        env: {
          PATH: process.env["PATH"],
          HOME: folder,
          KUBECONFIG: join(folder, "config"),
          KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets,
        },
      });
      const kubectl = new Running(child);
      try {
        await kubectl.says(/Forwarding from 127\.0\.0\.1:\d+/);
        await use(Number(/127\.0\.0\.1:(\d+)/.exec(kubectl.stdout)?.[1]), kubectl);
      } finally {
        kubectl.kill("SIGKILL");
        await kubectl.ended;
      }
    }

    /** What comes back of so many bytes. */
    async function echoed(local: number, sent: Buffer): Promise<Buffer> {
      const socket = connect(local, "127.0.0.1");
      const parts: Buffer[] = [];
      let left = sent.length;
      await new Promise<void>((resolve, reject) => {
        socket.on("error", reject).on("close", () => reject(new Error("closed early")));
        socket.on("data", (part: Buffer) => {
          parts.push(part);
          if ((left -= part.length) <= 0) resolve();
        });
        socket.write(sent);
      });
      socket.destroy();
      return Buffer.concat(parts);
    }

    /** How the pod was asked for. */
    function upgrades(): (string | undefined)[] {
      return sandbox.requests.all
        .filter(({ subresource }) => subresource === "portforward")
        .map(({ method, upgrade, subprotocols }) => `${method} ${upgrade} ${subprotocols}`);
    }

    const byWebSocket = `GET websocket ${TUNNEL_PROTOCOL}`;
    const bySpdy = "POST SPDY/3.1 undefined";

    test.each([
      ["over its WebSocket tunnel", "true", "on", [byWebSocket]],
      ["over SPDY, when the server has no tunnel", "true", "off", [byWebSocket, bySpdy]],
      ["over SPDY, when told so", "false", "on", [bySpdy]],
    ] as const)("carries bytes %s", async (_name, websockets, gate, wanted) => {
      sandbox.faults.tunnelGate = gate;
      await forward(ECHO, websockets, async (local) => {
        const sent = Buffer.alloc(300_000, "every byte counts ");
        for (let i = 0; i < 3; i++) expect((await echoed(local, sent)).equals(sent)).toBe(true);
      });
      expect(upgrades()).toEqual(wanted);
      await sandbox.until(() => sandbox.open.upgrades === 0);
    });

    test.each(["true", "false"] as const)("reads bytes in crumbs (WebSockets: %s)", async (websockets) => {
      sandbox.faults.splitBytes = true;
      sandbox.faults.splitFrames = true;
      await forward(ECHO, websockets, async (local) => {
        expect(String(await echoed(local, Buffer.from("in crumbs")))).toBe("in crumbs");
      });
    });

    test.each(["true", "false"] as const)(
      "hears why a port is refused (WebSockets: %s)",
      async (websockets) => {
        await forward(CLOSED, websockets, async (local, kubectl) => {
          const socket = connect(local, "127.0.0.1");
          socket.on("error", () => {});
          await once(socket.resume(), "close");
          await kubectl.says(
            /an error occurred forwarding \d+ -> 9999: error forwarding port 9999 to pod [0-9a-f]{64}/,
          );
        });
      },
    );
  },
);
