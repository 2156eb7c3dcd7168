/** The HTTP request that turns a socket into a port-forward connection to one pod. */
import type { Socket } from "node:net";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import type { ApiAccess } from "./access.ts";
import type { Dialled, Dialler } from "./dial.ts";
import { ApiRefusal, answerFailure, deadlineFailure, dialFailure, malformedAnswer } from "./failures.ts";

/** How long the API server may take to answer the request: it dials the node first. */
const ANSWER_DEADLINE_MS = 10_000;

/** Longest response head, and longest body of a refusal, that is read. */
const ANSWER_MAX_BYTES = 64 * 1024;

/** The pod an upgrade leads to. */
export interface PodAddress {
  readonly namespace: string;
  readonly pod: string;
}

/** An upgraded socket, paused; `early` came behind the response head and belongs in front of what follows. */
export interface Upgraded {
  readonly socket: Socket;
  readonly early: Buffer;
}

/**
 * Dials and upgrades to SPDY/3.1 by `POST …/portforward`, which needs only the verb `create`. The port is not part
 * of the request: one connection serves every port of the pod. Source: k8s.io/cri-streaming `portforward/httpstream.go`.
 *
 * @throws KfwdError of exit status 4, or the signal's reason.
 */
export async function upgrade(
  dialler: Dialler,
  clock: Clock,
  to: PodAddress,
  signal: AbortSignal,
): Promise<Upgraded> {
  const { access } = dialler;
  for (let tries = 1; ; tries++) {
    const dialled = await dialler.dial(signal);
    try {
      return await request(access, clock, to, dialled, signal);
    } catch (thrown) {
      dialled.socket.on("error", () => {}); // what a dead socket still has to say
      dialled.socket.destroy();
      signal.throwIfAborted();
      const expired = thrown instanceof ApiRefusal && thrown.status === 401 && tries === 1;
      if (!expired) throw dialFailure(access, thrown);
      access.forget(dialled.credentials);
    }
  }
}

async function request(
  access: ApiAccess,
  clock: Clock,
  to: PodAddress,
  dialled: Dialled,
  signal: AbortSignal,
): Promise<Upgraded> {
  const { socket } = dialled;
  socket.write(requestText(access, to, dialled));
  const answer = await readAnswer(access, socket, clock, signal);
  if (answer.status === 101 && /spdy\/3\.1/i.test(answer.header("upgrade") ?? "")) {
    return { socket, early: answer.rest };
  }
  const body = await readBody(access, socket, answer, clock, signal);
  throw answerFailure(access, answer.status, body, {
    verb: "create",
    resource: "pods/portforward",
    namespace: to.namespace,
    name: to.pod,
  });
}

function requestText({ server, user }: ApiAccess, to: PodAddress, { credentials }: Dialled): string {
  const prefix = server.pathname.replace(/\/+$/, "");
  const namespace = encodeURIComponent(to.namespace);
  const path = `${prefix}/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(to.pod)}/portforward`;
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: ${server.host}`,
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    "X-Stream-Protocol-Version: portforward.k8s.io",
    "Content-Length: 0",
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

interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  /** What came behind the head. */
  readonly rest: Buffer;
}

async function readAnswer(
  access: ApiAccess,
  socket: Socket,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answer> {
  let read = Buffer.alloc(0);
  let end = -1;
  await readUntil(access, socket, clock, signal, (chunk) => {
    read = Buffer.concat([read, chunk]);
    end = read.indexOf("\r\n\r\n");
    return end >= 0 || read.length > ANSWER_MAX_BYTES;
  });
  const [statusLine = "", ...headerLines] = read.toString("latin1", 0, Math.max(0, end)).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1];
  if (end < 0 || status === undefined) {
    if (read.length === 0) throw dialFailure(access, new Error("closed without an answer"));
    throw malformedAnswer(access, "an answer that is not HTTP");
  }
  const headers = new Map(headerLines.map(headerOf));
  return { status: Number(status), header: (name) => headers.get(name), rest: read.subarray(end + 4) };
}

function headerOf(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}

/** The body of a refusal, as far as it says how long it is; at the end of the connection otherwise. */
async function readBody(
  access: ApiAccess,
  socket: Socket,
  answer: Answer,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  let body = answer.rest;
  const wanted = Math.min(Number(answer.header("content-length") ?? ANSWER_MAX_BYTES), ANSWER_MAX_BYTES);
  if (body.length < wanted) {
    await readUntil(access, socket, clock, signal, (chunk) => {
      body = Buffer.concat([body, chunk]);
      return body.length >= wanted;
    });
  }
  return body.toString("utf8", 0, wanted);
}

/** Hands chunks to `enough` until it says so, the peer ends, or the deadline passes. Leaves the socket paused. */
function readUntil(
  access: ApiAccess,
  socket: Socket,
  clock: Clock,
  signal: AbortSignal,
  enough: (chunk: Buffer) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      deadline[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
      socket.pause();
      outcome();
    };
    const onData = (chunk: Buffer): void => {
      if (enough(chunk)) settle(resolve);
    };
    const onEnd = (): void => settle(resolve);
    const onError = (error: Error): void => settle(() => reject(error));
    const onAbort = (): void => settle(() => reject(signal.reason));
    const deadline = clock.timer(ANSWER_DEADLINE_MS, () =>
      settle(() =>
        reject(deadlineFailure(access, "no answer to the port-forward request", ANSWER_DEADLINE_MS)),
      ),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
    socket.resume();
  });
}
