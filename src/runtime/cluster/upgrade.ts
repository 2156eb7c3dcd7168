/** The HTTP requests that turn a socket into a port-forward connection to one pod. */
import { createHash, randomBytes } from "node:crypto";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import { CHANNEL_PROTOCOL } from "../wire/channels.ts";
import { TUNNEL_PROTOCOL, acceptKey } from "../wire/websocket.ts";
import type { ApiAccess, Dialled } from "./access.ts";
import { ANSWER_DEADLINE_MS, readAnswer, readBody, type Answer, type Reading } from "./answer.ts";
import { VERB, type Refusal, type Rung } from "./climb.ts";
import type { Dialler } from "./dial.ts";
import { answerFailure, deadlineFailure, dialFailure } from "./failures.ts";
import { SocketPipe, type BytePipe } from "./pipe.ts";
import { WebSocketPipe } from "./websocketpipe.ts";

/** The pod an upgrade leads to. */
export interface PodAddress {
  readonly namespace: string;
  readonly pod: string;
}

/** What an upgrade needs. */
export interface UpgradeDeps {
  readonly dialler: Dialler;
  readonly clock: Clock;
}

/** What came of asking. */
export type Asked<P extends BytePipe> =
  | { readonly kind: "upgraded"; readonly pipe: P }
  | (Refusal & { readonly kind: "refused"; readonly error: KfwdError });

/**
 * Asks for the bytes of SPDY. The port is not part of it.
 * @throws KfwdError of exit status 4 when the server cannot be dialled, or the signal's reason.
 */
export function askSpdy(
  deps: UpgradeDeps,
  rung: Exclude<Rung, "channels">,
  to: PodAddress,
  signal: AbortSignal,
): Promise<Asked<BytePipe>> {
  return dialAndAsk(deps, SPDY[rung](), to, signal);
}

/**
 * Asks for the channels of one port, which connects to it in the pod.
 * @throws KfwdError of exit status 4 when the server cannot be dialled, or the signal's reason.
 */
export function askChannels(
  deps: UpgradeDeps,
  to: PodAddress & { readonly port: number },
  signal: AbortSignal,
): Promise<Asked<WebSocketPipe>> {
  const asking = byWebSocket("channels", CHANNEL_PROTOCOL, `?ports=${to.port}`);
  return dialAndAsk(deps, asking, to, signal);
}

/** Once more with new credentials after a 401. */
async function dialAndAsk<P extends BytePipe>(
  { dialler, clock }: UpgradeDeps,
  asking: Asking<P>,
  to: PodAddress,
  signal: AbortSignal,
): Promise<Asked<P>> {
  const { access } = dialler;
  for (let tries = 1; ; tries++) {
    const dialled = await dialler.dial(signal);
    const asked = await ask({ access, dialled, clock, signal }, asking, to);
    if (asked.kind === "upgraded") return asked;
    dialled.socket.on("error", () => {}); // what a dead socket still has to say
    dialled.socket.destroy();
    signal.throwIfAborted();
    if (asked.status !== 401 || tries > 1) return asked;
    access.forget(dialled.credentials);
  }
}

/** A request. */
interface Asking<P extends BytePipe> {
  readonly rung: Rung;
  readonly query: string;
  readonly headers: readonly string[];
  /** Whether a 101 is the one that was asked for. */
  accepts(answer: Answer): boolean;
  wrap(socket: SocketPipe, secure: boolean): P;
}

const SPDY: Readonly<Record<Exclude<Rung, "channels">, () => Asking<BytePipe>>> = {
  spdy: () => asItIs("spdy"),
  spdyByGet: () => asItIs("spdyByGet"),
  tunnel: () => byWebSocket("tunnel", TUNNEL_PROTOCOL, ""),
};

function asItIs(rung: Rung): Asking<SocketPipe> {
  return {
    rung,
    query: "",
    headers: [
      "Connection: Upgrade",
      "Upgrade: SPDY/3.1",
      "X-Stream-Protocol-Version: portforward.k8s.io",
      "Content-Length: 0",
    ],
    accepts: (answer) => /spdy\/3\.1/i.test(answer.header("upgrade") ?? ""),
    wrap: (socket) => socket,
  };
}

function byWebSocket(rung: Rung, protocol: string, query: string): Asking<WebSocketPipe> {
  const key = randomBytes(16).toString("base64");
  const accept = acceptKey(key, (text) => createHash("sha1").update(text).digest());
  return {
    rung,
    query,
    headers: [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${key}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
    ],
    accepts: (answer) =>
      answer.header("sec-websocket-accept") === accept &&
      answer.header("sec-websocket-protocol") === protocol,
    wrap: (socket, secure) => new WebSocketPipe(socket, secure),
  };
}

async function ask<P extends BytePipe>(
  reading: Reading,
  asking: Asking<P>,
  to: PodAddress,
): Promise<Asked<P>> {
  const { access, dialled } = reading;
  const { rung } = asking;
  try {
    dialled.socket.write(requestText(access, asking, to, dialled));
    const answer = await readAnswer(reading);
    if (answer === "late") {
      const error = deadlineFailure(access, "no answer to the port-forward request", ANSWER_DEADLINE_MS);
      return { kind: "refused", rung, by: "silence", status: 0, error };
    }
    if (answer.status === 101 && asking.accepts(answer)) {
      const pipe = new SocketPipe(dialled.socket, dialled.intake, answer.rest);
      return { kind: "upgraded", pipe: asking.wrap(pipe, access.server.protocol === "https:") };
    }
    const { status } = answer;
    const body = status === 101 ? "" : await readBody(reading, answer);
    const call = { verb: VERB[rung], resource: "pods/portforward", namespace: to.namespace, name: to.pod };
    const error = answerFailure(access, status, body, call);
    return { kind: "refused", rung, by: STATUS_KIND.test(body) ? "server" : "stranger", status, error };
  } catch (thrown) {
    return { kind: "refused", rung, by: "break", status: 0, error: dialFailure(access, thrown) };
  }
}

/** Only an API server sends such a document. */
const STATUS_KIND = /"kind"\s*:\s*"Status"/;

function requestText(
  { server, user }: ApiAccess,
  { rung, query, headers }: Pick<Asking<BytePipe>, "rung" | "query" | "headers">,
  to: PodAddress,
  { credentials }: Dialled,
): string {
  const prefix = server.pathname.replace(/\/+$/, "");
  const namespace = encodeURIComponent(to.namespace);
  const path = `${prefix}/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(to.pod)}/portforward`;
  const lines = [
    `${VERB[rung] === "create" ? "POST" : "GET"} ${path}${query} HTTP/1.1`,
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
