/** The bytes of SOCKS5 (RFC 1928) with its login by user and password (RFC 1929). */
import { isIP } from "node:net";

/** Ways to log in, as the first answer chooses one. */
export const METHOD = { none: 0x00, password: 0x02, refused: 0xff } as const;

/** Answers are this long where that does not hang on what they say. */
export const SHORT_ANSWER_BYTES = 2;

/** The client's offer of ways to log in. */
export function greeting(hasLogin: boolean): Buffer {
  return Buffer.from(hasLogin ? [VERSION, 2, METHOD.none, METHOD.password] : [VERSION, 1, METHOD.none]);
}

/** The method the proxy chose; undefined when the answer is not SOCKS5. */
export function chosenMethod(answer: Buffer): number | undefined {
  return answer[0] === VERSION ? answer[1] : undefined;
}

/** User and password, each of 1 to 255 bytes. */
export function loginRequest({
  user,
  password,
}: {
  readonly user: string;
  readonly password: string;
}): Buffer {
  return Buffer.concat([Buffer.from([LOGIN_VERSION]), sized(user), sized(password)]);
}

/** Whether the login was taken; undefined when the answer breaks RFC 1929. */
export function loginTaken(answer: Buffer): boolean | undefined {
  return answer[0] === LOGIN_VERSION ? answer[1] === 0 : undefined;
}

/** Asks for a connection; a name is resolved at the proxy. */
export function connectRequest({ host, port }: { readonly host: string; readonly port: number }): Buffer {
  const head = Buffer.from([VERSION, CONNECT, 0]);
  return Buffer.concat([head, addressOf(host), Buffer.from([port >> 8, port & 0xff])]);
}

/** How long the answer to {@link connectRequest} is; undefined while that cannot be told. */
export function connectAnswerBytes(read: Buffer): number | undefined {
  const [version, code, , type] = read;
  if (version === undefined || code === undefined) return undefined;
  if (version !== VERSION || code !== 0) return 2; // a proxy that refuses need not say the rest
  if (type === undefined) return undefined;
  if (type === ATYP.ipv4) return 4 + 4 + 2;
  if (type === ATYP.ipv6) return 4 + 16 + 2;
  const nameBytes = read[4];
  if (type === ATYP.name) return nameBytes === undefined ? undefined : 5 + nameBytes + 2;
  return 4;
}

/** Undefined for yes; otherwise what the proxy said, or `malformed`. */
export function connectRefusal(answer: Buffer): string | undefined {
  const [version, code = 0, , type] = answer;
  if (version !== VERSION) return "malformed";
  if (code !== 0) return REFUSALS[code] ?? `it refused with the unknown code ${code}`;
  return type === ATYP.ipv4 || type === ATYP.ipv6 || type === ATYP.name ? undefined : "malformed";
}

const VERSION = 5;
const LOGIN_VERSION = 1;
const CONNECT = 1;
const ATYP = { ipv4: 1, name: 3, ipv6: 4 } as const;

const REFUSALS: Readonly<Record<number, string>> = {
  1: "it failed for a reason it does not tell",
  2: "its rules do not allow the connection",
  3: "it has no route to the network",
  4: "it has no route to the host",
  5: "the connection was refused behind it",
  6: "the time to live of its packets expired",
  7: "it cannot make connections for others",
  8: "it cannot reach addresses of this kind",
};

function addressOf(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return Buffer.from([ATYP.ipv4, ...host.split(".").map(Number)]);
  if (family === 6) return Buffer.from([ATYP.ipv6, ...ipv6Bytes(host)]);
  return Buffer.concat([Buffer.from([ATYP.name]), sized(host)]);
}

/** `fe80::1` or `::ffff:10.0.0.1`; a zone has no place on the wire. */
function ipv6Bytes(address: string): readonly number[] {
  const plain = address
    .replace(/%.*$/, "")
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: readonly string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    });
  const [front = [], back = []] = plain.split("::").map((half) => half.split(":").filter((g) => g !== ""));
  const gap = Array.from({ length: 8 - front.length - back.length }, () => "0");
  return [...front, ...gap, ...back].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new RangeError("SOCKS5 carries texts of up to 255 bytes");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
