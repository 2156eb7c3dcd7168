import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { faultyAnswer, sendBare, type Answer } from "./answers.ts";
import type { ApiCall } from "./apicall.ts";
import { socketPipe, type BytePipe, type PipeEvents } from "./bytepipe.ts";
import { ChannelSession } from "./channelsession.ts";
import type { Faults, UpgradeKind } from "./faults.ts";
import type { PodHost } from "./podhost.ts";
import type { KubernetesVersion } from "./kubernetesversion.ts";
import type { RuntimeOptions } from "./portforward.ts";
import type { Pods } from "./pods.ts";
import type { RequestRecord } from "./requestlog.ts";
import type { Session, SessionSurroundings } from "./session.ts";
import { SpdySession } from "./spdysession.ts";
import { badRequest, notFound } from "./statuses.ts";
import type { Store } from "./store.ts";
import type { Timers } from "./timers.ts";
import { tunnelPipe } from "./tunnelpipe.ts";
import { openWebSocket } from "./websocketupgrade.ts";

/** What upgrades stand on. */
export interface UpgradesSurroundings {
  readonly store: Store;
  readonly pods: Pods;
  readonly timers: Timers;
  readonly faults: Faults;
  readonly runtime: RuntimeOptions;
  readonly version: KubernetesVersion;
  /** Breaks the connection under a socket with a TCP reset. */
  reset(socket: Socket): void;
  /** The number of upgrades or of their streams has changed. */
  onChange(): void;
}

/** A port-forward request whose sender may make it. */
export interface ForwardRequest {
  readonly call: ApiCall;
  readonly namespace: string;
  readonly name: string;
  readonly record: RequestRecord;
}

/** How upgraded connections are broken. */
export type UpgradeCut =
  /** By a TCP reset. */
  | "reset"
  /** In order, by an end of the connection. */
  | "end"
  /** What comes is thrown away and nothing is sent any more, and nobody is told: a dead network. */
  | "silence"
  /** Nothing is read any more, not even the client's end, until {@link Upgrades.resume}. */
  | "stall"
  /** One of the server's five frame workers stops for good; a v4.channel WebSocket has none and is stalled. */
  | "wedge"
  /** GOAWAY: no new streams; it ends when the present ones have. Nothing that v4.channel could say. */
  | "go away";

const PROTOCOL = "portforward.k8s.io";

/** Port-forward connections: from the upgrade to their end. */
export class Upgrades {
  readonly #around: UpgradesSurroundings;
  readonly #sessions = new Map<Session, Socket>();

  constructor(around: UpgradesSurroundings) {
    this.#around = around;
  }

  /** Open upgraded connections. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Streams on them, two for each connection into a pod. */
  get streams(): number {
    let count = 0;
    for (const session of this.#sessions.keys()) count += session.streams;
    return count;
  }

  /** Breaks all upgraded connections. */
  cut(how: UpgradeCut): void {
    for (const [session, socket] of this.#sessions) {
      if (how === "reset") this.#around.reset(socket);
      else if (how === "end") session.end();
      else if (how === "silence") session.silence();
      else if (how === "stall") session.stall();
      else if (how === "wedge") session.wedge();
      else session.goAway();
    }
  }

  /** Reads on after a stall. */
  resume(): void {
    for (const session of this.#sessions.keys()) session.resume();
  }

  /** Answers the request and, if all is well, speaks the protocol it asks for on the socket. */
  serve(asked: ForwardRequest, request: IncomingMessage, socket: Socket): void {
    const { faults, timers } = this.#around;
    socket.on("error", () => {}); // the client left
    if (faults.upgradeDelayMs === 0) this.#answer(asked, request, socket);
    else timers.after(faults.upgradeDelayMs, () => this.#answer(asked, request, socket));
  }

  #answer(asked: ForwardRequest, request: IncomingMessage, socket: Socket): void {
    const isWebSocket = /^websocket$/i.test(request.headers.upgrade ?? "");
    const fault = this.#faultOf(isWebSocket ? "websocket" : "raw");
    if (fault === "stripped") {
      sendBare(socket, { status: 400, body: badRequest("Upgrade request required") });
      return;
    }
    if (fault !== undefined && "hang" in fault) {
      if (fault.only?.(asked.record) !== false) {
        socket.resume(); // a client that gives up is noticed
        return;
      }
    } else if (fault !== undefined && this.#around.faults.takes(fault, asked.record)) {
      sendBare(socket, faultyAnswer(fault));
      return;
    }
    const host = this.#hostOf(asked);
    if (!("sandboxId" in host)) {
      sendBare(socket, host);
    } else if (isWebSocket) {
      this.#serveWebSocket(host, asked, request, socket);
    } else {
      this.#serveSpdy(host, request, socket);
    }
  }

  #faultOf(kind: UpgradeKind): Faults["proxyAnswer"] | undefined {
    const { upgrades, proxyPasses, proxyAnswer } = this.#around.faults;
    return proxyPasses === "both" || proxyPasses === kind ? upgrades : proxyAnswer;
  }

  /** The pod to reach, or why it cannot be. */
  #hostOf({ call, namespace, name }: ForwardRequest): PodHost | Answer {
    const { store, pods } = this.#around;
    const pod = store.get("Pod", namespace, name);
    if (pod === undefined) return { status: 404, body: notFound(call) };
    const missing = `failed to find sandboxID for pod ${name}_${namespace}(${pod.metadata.uid})`;
    return pods.host(namespace, name) ?? { status: 500, body: missing };
  }

  #serveWebSocket(host: PodHost, { call }: ForwardRequest, request: IncomingMessage, socket: Socket): void {
    const { faults, version } = this.#around;
    const { method = "GET", headers } = request;
    const tunnels = faults.tunnelGate === undefined ? version.tunnels : faults.tunnelGate === "on";
    const opening = openWebSocket({ method, headers, query: call.query }, tunnels);
    if (!("kind" in opening)) {
      sendBare(socket, opening);
      return;
    }
    socket.write(opening.head);
    const open = (events: PipeEvents): BytePipe => socketPipe(socket, events, faults);
    this.#begin(host, socket, (around) =>
      opening.kind === "tunnel"
        ? new SpdySession((events) => tunnelPipe(open, events, faults), around)
        : new ChannelSession(open, opening.port, around),
    );
  }

  #serveSpdy(host: PodHost, request: IncomingMessage, socket: Socket): void {
    const refusal = refuseSpdy(request);
    if (refusal !== undefined) {
      sendBare(socket, refusal);
      return;
    }
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" +
        `X-Stream-Protocol-Version: ${PROTOCOL}\r\n\r\n`,
    );
    // frames that came before this answer are lost, as they are in the real server's proxy
    const { faults } = this.#around;
    this.#begin(
      host,
      socket,
      (around) => new SpdySession((events) => socketPipe(socket, events, faults), around),
    );
  }

  #begin(host: PodHost, socket: Socket, open: (around: SessionSurroundings) => Session): void {
    const { timers, faults, runtime } = this.#around;
    const onChange = (): void => this.#around.onChange();
    const session = open({
      host,
      timers,
      faults,
      options: runtime,
      onChange,
      onClose: () => {
        this.#sessions.delete(session);
        onChange();
      },
    });
    this.#sessions.set(session, socket);
    onChange();
  }
}

/** Why the container runtime would not upgrade: plain text, unlike the API server's own answers. */
function refuseSpdy({ headers }: IncomingMessage): Answer | undefined {
  const versions = [headers["x-stream-protocol-version"] ?? []]
    .flat()
    .flatMap((value) => value.split(/\s*,\s*/));
  if (versions.length === 0) {
    return {
      status: 400,
      body: "unable to upgrade: header X-Stream-Protocol-Version does not exist in request\n",
    };
  }
  if (!versions.includes(PROTOCOL)) {
    const body = `unable to upgrade: unable to negotiate protocol: client supports [${versions.join(" ")}], server accepts [${PROTOCOL}]\n`;
    return { status: 403, body, headers: { "X-Accepted-Stream-Protocol-Versions": PROTOCOL } };
  }
  if (!/^spdy\/3\.1$/i.test(headers.upgrade ?? "")) {
    return { status: 400, body: "unable to upgrade: missing upgrade headers in request\n" };
  }
  return undefined;
}
