/** The HTTP requests that turn a socket into a port-forward connection to one pod. */
import { createHash, randomBytes } from "node:crypto";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import { TUNNEL_PROTOCOL, acceptKey } from "../wire/websocket.ts";
import type { ApiAccess, Dialled } from "./access.ts";
import { readAnswer, readBody, type Answer, type Reading } from "./answer.ts";
import type { Dialler } from "./dial.ts";
import { answerFailure, dialFailure } from "./failures.ts";
import { SocketPipe, type BytePipe } from "./pipe.ts";
import { TunnelPipe } from "./tunnelpipe.ts";

/** The pod an upgrade leads to. */
export interface PodAddress {
  readonly namespace: string;
  readonly pod: string;
}

/**
 * A way to ask for the bytes of SPDY/3.1. The port is not part of it: one connection serves every port of the pod.
 * - `spdy`: the upgrade as it is, by `POST`, which needs only the verb `create`. Source: k8s.io/cri-streaming
 *   `portforward/httpstream.go`.
 * - `websocket`: inside binary messages, by `GET`, which needs `get`, and from Kubernetes 1.35 on `create` too. On
 *   since 1.31. Source: KEP-4006.
 */
export type Rung = "spdy" | "websocket";

/** What an upgrade needs. */
export interface UpgradeDeps {
  readonly dialler: Dialler;
  readonly clock: Clock;
}

/**
 * What came of asking. `by` is `server` when the API server itself refused, in a `Status`; what is not that may be the
 * word, or the silence, of a proxy that does not let this kind of upgrade through.
 */
export type Asked =
  | { readonly kind: "upgraded"; readonly pipe: BytePipe }
  | {
      readonly kind: "refused";
      readonly by: "server" | "unknown";
      readonly status: number;
      readonly error: KfwdError;
    };

/**
 * Dials and asks for an upgrade; once more with new credentials after a 401.
 * @throws KfwdError of exit status 4 when the server cannot be dialled, or the signal's reason.
 */
export async function askUpgrade(
  { dialler, clock }: UpgradeDeps,
  rung: Rung,
  to: PodAddress,
  signal: AbortSignal,
): Promise<Asked> {
  const { access } = dialler;
  for (let tries = 1; ; tries++) {
    const dialled = await dialler.dial(signal);
    const asked = await ask({ access, dialled, clock, signal }, RUNGS[rung](), to);
    if (asked.kind === "upgraded") return asked;
    dialled.socket.on("error", () => {}); // what a dead socket still has to say
    dialled.socket.destroy();
    signal.throwIfAborted();
    if (asked.status !== 401 || tries > 1) return asked;
    access.forget(dialled.credentials);
  }
}

/** One attempt. */
interface Asking {
  readonly method: "GET" | "POST";
  /** In the words of RBAC. */
  readonly verb: "create" | "get";
  readonly headers: readonly string[];
  /** Whether a 101 is the one that was asked for. */
  accepts(answer: Answer): boolean;
  wrap(socket: SocketPipe, secure: boolean): BytePipe;
}

const RUNGS: Readonly<Record<Rung, () => Asking>> = {
  spdy: () => ({
    method: "POST",
    verb: "create",
    headers: [
      "Connection: Upgrade",
      "Upgrade: SPDY/3.1",
      "X-Stream-Protocol-Version: portforward.k8s.io",
      "Content-Length: 0",
    ],
    accepts: (answer) => /spdy\/3\.1/i.test(answer.header("upgrade") ?? ""),
    wrap: (socket) => socket,
  }),
  websocket: () => {
    const key = randomBytes(16).toString("base64");
    const accept = acceptKey(key, (text) => createHash("sha1").update(text).digest());
    return {
      method: "GET",
      verb: "get",
      headers: [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${key}`,
        `Sec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}`,
      ],
      accepts: (answer) =>
        answer.header("sec-websocket-accept") === accept &&
        answer.header("sec-websocket-protocol") === TUNNEL_PROTOCOL,
      wrap: (socket, secure) => new TunnelPipe(socket, secure),
    };
  },
};

async function ask(reading: Reading, asking: Asking, to: PodAddress): Promise<Asked> {
  const { access, dialled } = reading;
  try {
    dialled.socket.write(requestText(access, asking, to, dialled));
    const answer = await readAnswer(reading);
    if (answer.status === 101 && asking.accepts(answer)) {
      const pipe = new SocketPipe(dialled.socket, dialled.intake, answer.rest);
      return { kind: "upgraded", pipe: asking.wrap(pipe, access.server.protocol === "https:") };
    }
    const { status } = answer;
    const body = status === 101 ? "" : await readBody(reading, answer);
    const call = { verb: asking.verb, resource: "pods/portforward", namespace: to.namespace, name: to.pod };
    const error = answerFailure(access, status, body, call);
    return { kind: "refused", by: STATUS_KIND.test(body) ? "server" : "unknown", status, error };
  } catch (thrown) {
    return { kind: "refused", by: "unknown", status: 0, error: dialFailure(access, thrown) };
  }
}

/** Only an API server sends such a document. */
const STATUS_KIND = /"kind"\s*:\s*"Status"/;

function requestText(
  { server, user }: ApiAccess,
  { method, headers }: Asking,
  to: PodAddress,
  { credentials }: Dialled,
): string {
  const prefix = server.pathname.replace(/\/+$/, "");
  const namespace = encodeURIComponent(to.namespace);
  const path = `${prefix}/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(to.pod)}/portforward`;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${server.host}`,
    ...headers,
    ...Object.entries(credentials.headers).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}: ${one}`),
    ),
  ];
  const broken = lines.find((line) => /[\r\n]/.test(line));
  if (broken !== undefined) {
    throw new KfwdError("CREDENTIALS", `the credentials of user "${user}" hold a line break`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
