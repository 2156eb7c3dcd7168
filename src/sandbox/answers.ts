/** HTTP answers, over a response or on the bare socket of an upgrade that is refused. */
import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FaultyAnswer } from "./faults.ts";
import { failure } from "./statuses.ts";

/** What is sent: an object as JSON, a text as it is. */
export interface Answer {
  readonly status: number;
  readonly body: object | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** No header but `Connection: close`, as golang.org/x/net/websocket refuses a handshake. */
  readonly bare?: boolean;
}

/** The answer a fault asks for. */
export function faultyAnswer({ status, body, retryAfterS }: FaultyAnswer): Answer {
  const reason = REASONS.get(status) ?? "InternalError";
  return {
    status,
    body: body ?? failure(status, reason, `the sandbox was told to answer ${status}`),
    headers: retryAfterS === undefined ? {} : { "Retry-After": String(retryAfterS) },
  };
}

const REASONS = new Map([
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "NotFound"],
  [410, "Expired"],
  [429, "TooManyRequests"],
  [503, "ServiceUnavailable"],
  [504, "Timeout"],
]);

/** Ends the response. */
export function send(response: ServerResponse, answer: Answer): void {
  const { body, headers } = encode(answer);
  response.writeHead(answer.status, headers);
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Ends the socket. */
export function sendBare(socket: Socket, answer: Answer): void {
  const encoded = encode({ ...answer, headers: { ...answer.headers, Connection: "close" } });
  const { body } = encoded;
  const headers = answer.bare ? { Connection: "close" } : encoded.headers;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const statusLine = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}\r\n`;
  socket.on("error", () => {});
  socket.resume(); // whatever else comes is thrown away, so that the client's end is seen
  socket.end(`${statusLine}${lines.join("")}\r\n${body}`);
}

function encode({ body, headers }: Answer): {
  readonly body: string;
  readonly headers: Record<string, string>;
} {
  const [text, type] =
    typeof body === "string"
      ? [body, "text/plain; charset=utf-8"]
      : [JSON.stringify(body), "application/json"];
  return {
    body: text,
    headers: {
      "Content-Type": type,
      "Content-Length": String(Buffer.byteLength(text)),
      "Cache-Control": "no-cache, private",
      ...headers,
    },
  };
}
