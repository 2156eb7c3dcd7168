/** One HTTP request and the head of its answer, within a deadline. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import type { Credentials } from "./access.ts";
import { deadlineFailure, dialFailure, type ApiName } from "./failures.ts";
import type { KeptRequest, KeptSockets } from "./keptsockets.ts";
import { serverAddress } from "./proxy.ts";

/** From when the request has a connection. */
const HEADERS_DEADLINE_MS = 10_000;

/** What is to be done; absent: GET. */
export interface Deed {
  readonly method: "POST" | "DELETE";
  /** Sent as JSON. */
  readonly body: unknown;
}

/** A request and everything it is sent with. */
export interface Exchange {
  readonly deed?: Deed | undefined;
  readonly access: ApiName;
  readonly clock: Clock;
  readonly agent: KeptSockets;
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
    const sent = start(what, signal);
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
    const deadline = headersDeadline(what, sent);
    const onAbort = (): void => void (response ?? sent).destroy(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    sent.once("response", (head) => {
      response = head;
      deadline[Symbol.dispose]();
      resolve(head);
    });
    sent.on("error", (error) => {
      deadline[Symbol.dispose]();
      reject(error); // after the response its own error says the same
    });
    sent.once("close", () => {
      deadline[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
    });
    sent.end(bodyOf(what));
  });
}

function bodyOf({ deed }: Exchange): string | undefined {
  return deed && JSON.stringify(deed.body);
}

function start(what: Exchange, wanted: AbortSignal): ClientRequest {
  const { access, agent, headers, path, query, deed } = what;
  const { server } = access;
  const length = Buffer.byteLength(bodyOf(what) ?? "");
  const request: KeptRequest = {
    ...serverAddress(server),
    path: pathOf(server, path, query),
    ...(deed && { method: deed.method }),
    agent,
    wanted,
    headers: {
      Host: server.host,
      Accept: "application/json",
      ...(deed && { "Content-Type": "application/json", "Content-Length": length }),
      ...Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [
          name,
          typeof value === "string" ? value : [...value],
        ]),
      ),
    },
  };
  try {
    return httpRequest(request);
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

/** Breaks the request off when no answer comes; disposing ends the wait. */
function headersDeadline({ access, clock }: Exchange, sent: ClientRequest): Disposable {
  let timer: Disposable | undefined;
  sent.once("socket", () => {
    if (sent.destroyed) return;
    const late = (): KfwdError => deadlineFailure(access, "no answer came", HEADERS_DEADLINE_MS);
    timer = clock.timer(HEADERS_DEADLINE_MS, () => sent.destroy(late()));
  });
  return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}
