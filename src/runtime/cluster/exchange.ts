/** One HTTP request and the head of its answer, with a deadline for each stage. */
import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import type { Credentials } from "./access.ts";
import { deadlineFailure, dialFailure, type ApiName } from "./failures.ts";

/** An API server that is well needs a round trip or two for each stage. */
const CONNECT_DEADLINE_MS = 5_000;
const TLS_DEADLINE_MS = 5_000;
const HEADERS_DEADLINE_MS = 10_000;

const TCP_KEEPALIVE_MS = 30_000;

/** A GET and everything it is sent with. */
export interface Exchange {
  readonly access: ApiName;
  readonly clock: Clock;
  readonly agent: Agent;
  readonly headers: Credentials["headers"];
  /** Segments of the path behind the server's prefix, not yet encoded. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Resolves with the response before its body is read; the signal breaks off the body too.
 * @throws KfwdError of exit status 4, or the signal's reason.
 */
export async function exchange(what: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  for (;;) {
    signal.throwIfAborted();
    const sent = start(what);
    try {
      return await answerOf(what, sent, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // The server had closed a kept connection before it saw the request: try the next kept one, or a new one.
      if (!sent.reusedSocket || !isClosed(error)) throw dialFailure(what.access, error);
    }
  }
}

function answerOf(what: Exchange, sent: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let response: IncomingMessage | undefined;
    const deadlines = stageDeadlines(what, sent);
    const onAbort = (): void => void (response ?? sent).destroy(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    sent.once("response", (head) => {
      response = head;
      deadlines[Symbol.dispose]();
      resolve(head);
    });
    sent.on("error", (error) => {
      deadlines[Symbol.dispose]();
      reject(error); // after the response its own error says the same
    });
    sent.once("close", () => {
      deadlines[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
    });
    sent.end();
  });
}

function start({ access, agent, headers, path, query }: Exchange): ClientRequest {
  const { server } = access;
  const request = server.protocol === "https:" ? httpsRequest : httpRequest;
  try {
    return request({
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port,
      path: pathOf(server, path, query),
      agent,
      headers: {
        Accept: "application/json",
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [
            name,
            typeof value === "string" ? value : [...value],
          ]),
        ),
      },
    });
  } catch (error) {
    throw dialFailure(access, error);
  }
}

function pathOf(server: URL, path: Exchange["path"], query: Exchange["query"]): string {
  const odd = path.find((segment) => /^\.*$/.test(segment)); // servers resolve dots, even when they are encoded
  if (odd !== undefined) throw new KfwdError("INTERNAL", `"${odd}" cannot be part of an API path`);
  const prefix = server.pathname.replace(/\/+$/, "");
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) search.set(name, String(value));
  return `${prefix}/${path.map(encodeURIComponent).join("/")}?${search.toString()}`;
}

/** Breaks the request off when a stage takes too long; disposing ends the stage that runs. */
function stageDeadlines({ access, clock }: Exchange, sent: ClientRequest): Disposable {
  let timer: Disposable | undefined;
  const within = (ms: number, missing: string): void => {
    timer?.[Symbol.dispose]();
    timer = clock.timer(ms, () => sent.destroy(deadlineFailure(access, missing, ms)));
  };
  const answer = (): void => within(HEADERS_DEADLINE_MS, "no answer came");
  const secure = access.server.protocol === "https:";
  sent.once("socket", (socket: Socket) => {
    if (sent.destroyed) return;
    if (!socket.connecting) {
      answer();
      return;
    }
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    within(CONNECT_DEADLINE_MS, "no connection came about");
    socket.once("connect", secure ? () => within(TLS_DEADLINE_MS, "no TLS handshake came about") : answer);
    socket.once("secureConnect", answer);
  });
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}
