/** Connections to an API server through a proxy: HTTP CONNECT, over TCP or TLS, and SOCKS5. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../deps.ts";
import type { ApiName } from "./failures.ts";
import { addressText, serverAddress, type ProxyServer } from "./proxy.ts";
import {
  connectFailure,
  proxyDialFailure,
  proxyLate,
  proxyLoginFailure,
  proxyMalformed,
  tunnelFailure,
  type ConnectAnswer,
} from "./proxyfailures.ts";
import {
  METHOD,
  SHORT_ANSWER_BYTES,
  chosenMethod,
  connectAnswerBytes,
  connectRefusal,
  connectRequest,
  greeting,
  loginRequest,
  loginTaken,
} from "./socks5.ts";
import { reached, readMessage, type Bounds, type ReadBounds } from "./socketwait.ts";

const CONNECT_DEADLINE_MS = 5_000;
const TLS_DEADLINE_MS = 5_000;

/** A proxy answers when it has connected to the server, or has given up. */
const ANSWER_DEADLINE_MS = 10_000;

const ANSWER_MAX_BYTES = 16 * 1024;

/** What a tunnel leads through and to. */
export interface TunnelRequest {
  readonly access: ApiName;
  readonly proxy: ProxyServer;
  readonly clock: Clock;
  readonly userAgent: string | undefined;
}

/**
 * A connection to the access's server through the proxy: what the server has sent already is the first to be read.
 * @throws KfwdError `UNREACHABLE`, `CREDENTIALS`, `PROTOCOL`, or the signal's reason.
 */
export async function openTunnel(request: TunnelRequest, signal: AbortSignal): Promise<Socket> {
  const socket = await reachProxy(request, signal);
  try {
    if (request.proxy.scheme === "socks5") await askSocks5(request, socket, signal);
    else await askHttp(request, socket, signal);
    return socket;
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

async function reachProxy({ access, proxy, clock }: TunnelRequest, signal: AbortSignal): Promise<Socket> {
  const { host, port } = proxy;
  const within = (ms: number, missing: string): Bounds => ({
    clock,
    signal,
    ms,
    late: () => proxyLate(access, proxy, missing, ms),
    failed: (thrown) => proxyDialFailure(access, proxy, thrown),
  });
  const socket =
    proxy.scheme === "https"
      ? connectTls({
          host,
          port,
          ...(isIP(host) ? {} : { servername: host }),
          rejectUnauthorized: true, // always said, so that NODE_TLS_REJECT_UNAUTHORIZED has no part in it
          ALPNProtocols: ["http/1.1"],
        })
      : connectTcp({ host, port });
  socket.setNoDelay(true);
  await reached(socket, "connect", within(CONNECT_DEADLINE_MS, "no connection came about"));
  if (proxy.scheme === "https") {
    await reached(socket, "secureConnect", within(TLS_DEADLINE_MS, "no TLS handshake came about"));
  }
  return socket;
}

/** RFC 9110, 9.3.6. */
async function askHttp(request: TunnelRequest, socket: Socket, signal: AbortSignal): Promise<void> {
  const { access, proxy, userAgent } = request;
  const server = addressText(serverAddress(access.server));
  const lines = [`CONNECT ${server} HTTP/1.1`, `Host: ${server}`];
  if (userAgent !== undefined) lines.push(`User-Agent: ${userAgent}`);
  if (proxy.login) {
    const login = Buffer.from(`${proxy.login.user}:${proxy.login.password}`).toString("base64");
    lines.push(`Proxy-Authorization: Basic ${login}`);
  }
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const head = await readMessage(socket, headBytes, answering(request, signal));
  const answer = connectAnswer(head.toString("latin1"));
  if (answer === undefined) throw proxyMalformed(access, proxy);
  if (answer.status !== 200) throw connectFailure(access, proxy, answer);
}

const HTTP = Buffer.from("HTTP/1.");

/** What cannot become HTTP is read no further. */
function headBytes(read: Buffer): number | undefined {
  const begun = Math.min(read.length, HTTP.length);
  if (!read.subarray(0, begun).equals(HTTP.subarray(0, begun))) return read.length;
  const end = read.indexOf("\r\n\r\n");
  return end < 0 ? undefined : end + 4;
}

function connectAnswer(head: string): ConnectAnswer | undefined {
  const [first = "", ...headers] = head.split("\r\n");
  const [, statusLine = "", status] = /^HTTP\/1\.[01] ((\d{3})(?: [\x20-\x7e]*)?)$/.exec(first) ?? [];
  if (status === undefined) return undefined;
  const wanted = headers.map((line) => /^proxy-authenticate:\s*([\w-]+)/i.exec(line)?.[1]);
  return {
    status: Number(status),
    statusLine: statusLine.trim(),
    wanted: wanted.filter((scheme) => scheme !== undefined),
  };
}

/** RFC 1928 and 1929. */
async function askSocks5(request: TunnelRequest, socket: Socket, signal: AbortSignal): Promise<void> {
  const { access, proxy } = request;
  const bounds = answering(request, signal);
  const answer = (sizeOf: (read: Buffer) => number | undefined): Promise<Buffer> =>
    readMessage(socket, sizeOf, bounds);
  socket.write(greeting(proxy.login !== undefined));
  const method = chosenMethod(await answer(() => SHORT_ANSWER_BYTES));
  if (method === METHOD.refused) throw proxyLoginFailure(access, proxy, []);
  if (method === METHOD.password && proxy.login) {
    socket.write(loginRequest(proxy.login));
    const taken = loginTaken(await answer(() => SHORT_ANSWER_BYTES));
    if (taken === undefined) throw proxyMalformed(access, proxy);
    if (!taken) throw proxyLoginFailure(access, proxy, []);
  } else if (method !== METHOD.none) throw proxyMalformed(access, proxy);
  socket.write(connectRequest(serverAddress(access.server)));
  const refusal = connectRefusal(await answer(connectAnswerBytes));
  if (refusal === "malformed") throw proxyMalformed(access, proxy);
  if (refusal !== undefined) throw tunnelFailure(access, refusal);
}

function answering({ access, proxy, clock }: TunnelRequest, signal: AbortSignal): ReadBounds {
  return {
    clock,
    signal,
    ms: ANSWER_DEADLINE_MS,
    maxBytes: ANSWER_MAX_BYTES,
    tooLong: () => proxyMalformed(access, proxy),
    late: () => tunnelFailure(access, `it did not answer within ${ANSWER_DEADLINE_MS / 1000} s`),
    failed: (thrown) =>
      "code" in thrown
        ? proxyDialFailure(access, proxy, thrown)
        : tunnelFailure(access, "it closed the connection without an answer"),
  };
}
