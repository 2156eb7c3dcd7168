/** What a WebSocket handshake for a port-forward comes to. */
import { createHash } from "node:crypto";
import { CHANNEL_PROTOCOL } from "../runtime/wire/channels.ts";
import { TUNNEL_PROTOCOL, acceptKey } from "../runtime/wire/websocket.ts";
import type { Answer } from "./answers.ts";

/** What the client asks for. */
export interface Handshake {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly query: URLSearchParams;
}

/** A WebSocket that is to be opened: `head` is the answer. */
export type Opening =
  | { readonly kind: "tunnel"; readonly head: string }
  | { readonly kind: "channels"; readonly port: number; readonly head: string };

/**
 * Chooses the subprotocol. A server with the gate on takes the tunnel itself; everything else goes to the kubelet,
 * which knows no tunnel. Source: apiserver `streamtunnel.go`, cri-streaming `portforward/websocket.go`.
 */
export function openWebSocket(handshake: Handshake, tunnels: boolean): Opening | Answer {
  const offered = listed(handshake.headers["sec-websocket-protocol"]);
  return tunnels && offered.includes(TUNNEL_PROTOCOL)
    ? openTunnel(handshake)
    : openChannels(handshake, offered);
}

function openTunnel(handshake: Handshake): Opening | Answer {
  const headers = { "Sec-Websocket-Version": "13" };
  if (handshake.method !== "GET") return { status: 405, body: "Method Not Allowed\n", headers };
  const accept = acceptOf(handshake);
  if (accept === undefined) return { status: 400, body: "Bad Request\n", headers };
  return { kind: "tunnel", head: headOf(accept, TUNNEL_PROTOCOL) };
}

function openChannels(handshake: Handshake, offered: readonly string[]): Opening | Answer {
  const ports = handshake.query.getAll("ports");
  if (ports.length === 0) return { status: 400, body: 'query parameter "port" is required' };
  const port = Number(ports[0]);
  if (ports.length > 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return { status: 400, body: `the sandbox takes one port, 1 to 65535, not "${ports.join(",")}"` };
  }
  if (handshake.method !== "GET") return { status: 405, body: "bad method", bare: true };
  const accept = acceptOf(handshake);
  if (accept === undefined) return { status: 400, body: "", bare: true };
  if (offered.length > 0 && !offered.includes(CHANNEL_PROTOCOL)) return { status: 403, body: "", bare: true };
  return { kind: "channels", port, head: headOf(accept, offered.length === 0 ? "" : CHANNEL_PROTOCOL) };
}

/** Undefined for a handshake that is none. */
function acceptOf({ headers }: Handshake): string | undefined {
  const [key] = listed(headers["sec-websocket-key"]);
  if (key === undefined || Buffer.from(key, "base64").length !== 16) return undefined;
  if (!listed(headers["sec-websocket-version"]).includes("13")) return undefined;
  return acceptKey(key, (text) => createHash("sha1").update(text).digest());
}

function headOf(accept: string, protocol: string): string {
  return (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`
  );
}

/** The values of a header that may be a list. */
function listed(value: string | readonly string[] | undefined): readonly string[] {
  return [value ?? []]
    .flat()
    .flatMap((text) => text.split(/\s*,\s*/))
    .filter((text) => text !== "");
}
