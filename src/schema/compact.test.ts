import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Compact, readCompact } from "./compact.ts";
import type { Problem } from "./problem.ts";

function read(text: string): { compact: Compact | undefined; problems: Problem[] } {
  const problems: Problem[] = [];
  return { compact: readCompact(text, (problem) => problems.push(problem)), problems };
}

/** The pieces as `field=value@characters`. */
function pieces(text: string): readonly string[] {
  const { compact, problems } = read(text);
  expect(problems).toEqual([]);
  return Object.entries(compact ?? {}).map(([field, { value, part }]) => {
    const words = text.slice(part.index, part.index + part.length);
    return `${field}=${typeof value === "object" ? JSON.stringify(value) : value}@${words}`;
  });
}

const API = 'target={"target":{"kind":"svc","name":"api"}}@svc/api';

describe("the compact form", () => {
  test.each([
    ["port by name", "8080:svc/api:http", ["local=8080@8080", API, "port=http@http"]],
    ["port by number", "8080:svc/api:80", ["local=8080@8080", API, "port=80@80"]],
    ["no port", "8080:svc/api", ["local=8080@8080", API]],
    ["auto", "auto:svc/api:80", ["local=auto@auto", API, "port=80@80"]],
    ["protocol", "5353:svc/api:53/udp", ["local=5353@5353", API, "port=53@53", "protocol=udp@udp"]],
    [
      "namespace",
      "1:kube-system/svc/api:2",
      [
        "local=1@1",
        'target={"namespace":"kube-system","target":{"kind":"svc","name":"api"}}@kube-system/svc/api',
        "port=2@2",
      ],
    ],
    ["IPv4", "127.0.0.2:1:svc/api:2", ["local=1@1", API, 'bind=["127.0.0.2"]@127.0.0.2', "port=2@2"]],
    ["localhost", "localhost:1:svc/api:2", ["local=1@1", API, 'bind=["localhost"]@localhost', "port=2@2"]],
    ["IPv6", "[::1]:1:svc/api:2", ["local=1@1", API, 'bind=["::1"]@::1', "port=2@2"]],
    ["IPv6 and auto", "[::1]:auto:svc/api:2", ["local=auto@auto", API, 'bind=["::1"]@::1', "port=2@2"]],
  ])("with %s", (_, text, expected) => {
    expect([...pieces(text)].sort()).toEqual([...expected].sort());
  });

  const NAME = 'the name of a target must be lowercase letters, digits, "-" and ".", at most 253';
  const LOCAL = 'local must be 1-65535 or "auto"';
  const PORT = "port must be 1-65535 or the name of a port";

  test.each([
    ["nothing", "", "", 'cannot read "": expected [bind:]local:kind/name:port[/proto]'],
    ["a word", "a", "a", 'cannot read "a": expected [bind:]local:kind/name:port[/proto]'],
    [
      "ports alone",
      "5000:8080",
      "8080",
      'cannot read "5000:8080": expected [bind:]local:kind/name:port[/proto]',
    ],
    ["no kind", "8080:api", "api", 'cannot read "8080:api": expected [bind:]local:kind/name:port[/proto]'],
    ["no local", "svc/api:80", "svc/api", 'cannot read "svc/api:80": expected a local port before "svc/api"'],
    ["an empty local", ":svc/api:80", ":", 'cannot read ":svc/api:80": the local port is empty'],
    ["nothing but the address", "[::1]::svc/x", ":", 'cannot read "[::1]::svc/x": the local port is empty'],
    ["neither address nor local", "::svc/api:80", ":", 'cannot read "::svc/api:80": the local port is empty'],
    ["local 0", "0:svc/api:80", "0", `${LOCAL}, got "0"`],
    ["local -1", "-1:svc/api:80", "-1", `${LOCAL}, got "-1"`],
    ["local 65536", "65536:svc/api:80", "65536", `${LOCAL}, got "65536"`],
    ["local letters", "a:svc/api:80", "a", `${LOCAL}, got "a"`],
    ["port 0", "1:svc/api:0", "0", `${PORT}, got "0"`],
    ["port -1", "1:svc/api:-1", "-1", `${PORT}, got "-1"`],
    ["port 65536", "1:svc/api:65536", "65536", `${PORT}, got "65536"`],
    ["an empty port", "1:svc/api:", "", `${PORT}, got ""`],
    ["krelay's protocol", "1:svc/api:53@udp", "53@udp", `${PORT}, got "53@udp"`],
    ["an unknown protocol", "1:svc/api:53/sctp", "sctp", 'protocol must be "tcp" or "udp", got "sctp"'],
    ["no protocol", "1:svc/api:53/", "", 'protocol must be "tcp" or "udp", got ""'],
    ["an unknown kind", "1:foo/api:53", "foo", 'unknown kind "foo" in target'],
    ["a port for a target", "8080:53/udp", "53", 'unknown kind "53" in target'],
    ["no name", "1:svc/:80", "", `${NAME}, got ""`],
    [
      "an unknown address",
      "hst:1:svc/api:80",
      "hst",
      'bind must be "localhost", "all", "docker" or an IP address, got "hst"',
    ],
    ["no address", ":1:svc/api:80", "", 'bind must be "localhost", "all", "docker" or an IP address, got ""'],
    [
      "a bad IPv6",
      "[::g]:1:svc/api:80",
      "::g",
      'bind must be "localhost", "all", "docker" or an IP address, got "::g"',
    ],
    [
      "an open bracket",
      "[::1:1:svc/api:80",
      "1",
      'cannot read "[::1:1:svc/api:80": too many colons before the target',
    ],
    [
      "a bare IPv6",
      "::1:8080:svc/api:80",
      "1",
      'cannot read "::1:8080:svc/api:80": too many colons before the target',
    ],
    [
      "two addresses",
      "[::1]:127.0.0.1:1:svc/api:80",
      "127.0.0.1",
      'cannot read "[::1]:127.0.0.1:1:svc/api:80": it has two addresses to bind',
    ],
    ["a third colon", "1:svc/api:2:3", ":3", 'cannot read "1:svc/api:2:3": too many colons after the target'],
    ["a space", "1: svc/api:2", " svc", 'unknown kind " svc" in target'],
  ])("refuses %s", (_, text, words, message) => {
    const { compact, problems } = read(text);
    expect(compact).toBeUndefined();
    expect(problems.map((problem) => problem.message)).toEqual([message]);
    const { index = -1, length = -1 } = problems[0]?.part ?? {};
    expect(text.slice(index, index + length)).toBe(words);
  });

  test("tells every bad word at once", () => {
    const { problems } = read("x:0:foo/Api:99999/sctp");
    expect(problems.map((problem) => problem.part?.index)).toEqual([0, 2, 4, 8, 12, 18]);
  });

  test("reads back what was written", () => {
    const address = fc.constantFrom("", "127.0.0.1:", "localhost:", "[::1]:", "[fe80::2]:");
    const port = fc.integer({ min: 1, max: 65535 });
    const local = fc.oneof(port.map(String), fc.constant("auto"));
    const target = fc.constantFrom("svc/api", "ns/sts/db-0", "po/a.b");
    const remote = fc.oneof(
      fc.constant(""),
      port.map((number) => `:${number}`),
      fc.constant(":http/udp"),
    );
    fc.assert(
      fc.property(address, local, target, remote, (a, l, t, r) => {
        const { compact, problems } = read(`${a}${l}:${t}${r}`);
        expect(problems).toEqual([]);
        expect(compact?.local.value).toBe(l === "auto" ? "auto" : Number(l));
        expect(compact?.bind?.value).toEqual(a === "" ? undefined : [a.replace(/^\[|\]?:$/g, "")]);
        expect(compact?.port?.value).toBe(
          r === "" ? undefined : r === ":http/udp" ? "http" : Number(r.slice(1)),
        );
        expect(compact?.protocol?.value).toBe(r.endsWith("/udp") ? "udp" : undefined);
      }),
    );
  });

  test("either reads a text or says why not, with a part that lies in it", () => {
    const pieces = fc.constantFrom(
      ":",
      "/",
      "[",
      "]",
      "svc",
      "api",
      "8080",
      "auto",
      "::1",
      "udp",
      "é",
      " ",
      "%",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (words) => {
        const text = words.join("");
        const { compact, problems } = read(text);
        expect(compact === undefined).toBe(problems.length > 0);
        for (const { part } of problems) expect((part?.index ?? -1) <= text.length).toBe(true);
      }),
    );
  });
});
