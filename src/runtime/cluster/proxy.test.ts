import { describe, expect, test } from "vitest";
import { addressText, chooseProxy, serverAddress, type ProxyChoice } from "./proxy.ts";

type Env = Readonly<Record<string, string>>;

function choose(server: string, env: Env = {}, proxyUrl?: string): ProxyChoice {
  return chooseProxy({ server: new URL(server), proxyUrl, env });
}

/** `scheme://user:password@host:port (source)`, with what was decoded. */
function shown(choice: ProxyChoice): string {
  if (choice.kind !== "proxy") return choice.kind;
  const { scheme, login, source } = choice.proxy;
  const user = login ? `${login.user}:${login.password}@` : "";
  return `${scheme}://${user}${addressText(choice.proxy)} (${source})`;
}

const API = "https://api.test:6443";

describe("which proxy", () => {
  test.each<[string, Env, string | undefined, string]>([
    [API, {}, undefined, "direct"],
    [API, { HTTPS_PROXY: "http://p:1" }, undefined, "http://p:1 (HTTPS_PROXY)"],
    [API, { https_proxy: "http://p:1" }, undefined, "http://p:1 (https_proxy)"],
    [
      API,
      { HTTPS_PROXY: "http://big:1", https_proxy: "http://small:1" },
      undefined,
      "http://big:1 (HTTPS_PROXY)",
    ],
    [API, { HTTPS_PROXY: "", https_proxy: "http://small:1" }, undefined, "http://small:1 (https_proxy)"],
    [API, { HTTP_PROXY: "http://p:1", ALL_PROXY: "http://p:1" }, undefined, "direct"],
    ["http://api.test", { HTTP_PROXY: "http://p:1" }, undefined, "http://p:1 (HTTP_PROXY)"],
    ["http://api.test", { http_proxy: "http://p:1" }, undefined, "http://p:1 (http_proxy)"],
    ["http://api.test", { HTTPS_PROXY: "http://p:1" }, undefined, "direct"],
    [API, { HTTPS_PROXY: "http://p:1", NO_PROXY: "api.test" }, undefined, "direct"],
    [API, { HTTPS_PROXY: "http://p:1", no_proxy: "api.test" }, undefined, "direct"],
    [
      API,
      { HTTPS_PROXY: "http://p:1", NO_PROXY: "x", no_proxy: "api.test" },
      undefined,
      "http://p:1 (HTTPS_PROXY)",
    ],
    [API, { HTTPS_PROXY: "http://p:1", NO_PROXY: "api.test:443" }, undefined, "http://p:1 (HTTPS_PROXY)"],
    ["https://api.test", { HTTPS_PROXY: "http://p:1", NO_PROXY: "api.test:443" }, undefined, "direct"],
    ["https://127.0.0.1:6443", { HTTPS_PROXY: "http://p:1" }, undefined, "direct"],
    ["https://[::1]:6443", { HTTPS_PROXY: "http://p:1" }, undefined, "direct"],
    ["https://localhost:6443", { HTTPS_PROXY: "nonsense://" }, undefined, "direct"],
    ["https://127.0.0.1:6443", { HTTPS_PROXY: "http://p:1" }, "http://q:2", "http://q:2 (proxy-url)"],
    [API, { HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, "http://q:2", "http://q:2 (proxy-url)"],
  ])("%s with %j and proxy-url %j: %s", (server, env, proxyUrl, expected) => {
    expect(shown(choose(server, env, proxyUrl))).toBe(expected);
  });
});

describe("what its URL says", () => {
  test.each([
    ["http://proxy", "http://proxy:80"],
    ["https://proxy", "https://proxy:443"],
    ["socks5://proxy", "socks5://proxy:1080"],
    ["socks5h://proxy:80", "socks5://proxy:80"],
    ["HTTP://Proxy.Corp:3128/", "http://proxy.corp:3128"],
    ["http://[fd00::1]:3128", "http://[fd00::1]:3128"],
    ["socks5://[fd00::1]", "socks5://[fd00::1]:1080"],
    ["http://ann:p%40ss%3A%2F%23@proxy:1", "http://ann:p@ss:/#@proxy:1"],
    ["socks5://ann:%C3%BC@proxy:1", "socks5://ann:ü@proxy:1"],
    ["http://ann@proxy:1", "http://ann:@proxy:1"],
    ["http://@proxy:1", "http://proxy:1"],
  ])("%s", (url, expected) => {
    expect(shown(choose(API, {}, url))).toBe(`${expected} (proxy-url)`);
  });

  test("a host alone is an http proxy in a variable, and nothing in a kubeconfig", () => {
    expect(shown(choose(API, { HTTPS_PROXY: "proxy.corp:3128" }))).toBe(
      "http://proxy.corp:3128 (HTTPS_PROXY)",
    );
    expect(shown(choose(API, { HTTPS_PROXY: "ann:pw@proxy" }))).toBe("http://ann:pw@proxy:80 (HTTPS_PROXY)");
    expect(choose(API, {}, "proxy.corp:3128")).toMatchObject({
      kind: "invalid",
      source: "proxy-url",
      what: "has no scheme; possible are http://, https:// and socks5://",
    });
  });
});

describe("what cannot be one says why, and shows no password", () => {
  const long = "x".repeat(256);
  test.each([
    ["ftp://ann:secret@proxy", 'begins with "ftp://"'],
    ["socks4://ann:secret@proxy", 'begins with "socks4://"'],
    ["http://", "is not a URL"],
    ["socks5://", "names no host"],
    ["http://proxy:99999", "is not a URL"],
    ["http://ann:sec#ret@proxy", "must be percent-encoded"],
    ["http://ann:12#secret@proxy", "must be percent-encoded"],
    ["http://ann:12/secret@proxy", "must be percent-encoded"],
    ["http://ann:12?secret@proxy", "must be percent-encoded"],
    ["http://ann:secret%zz@proxy", "is not percent-encoded"],
    [`socks5://ann:secret${long}@proxy`, "1 to 255 bytes"],
    ["socks5://:secret@proxy", "1 to 255 bytes"],
  ])("%s", (url, what) => {
    for (const choice of [choose(API, {}, url), choose(API, { HTTPS_PROXY: url })]) {
      expect(choice).toMatchObject({ kind: "invalid", what: expect.stringContaining(what) as string });
      expect(JSON.stringify(choice)).not.toContain("secret");
    }
  });
});

test("where a URL leads", () => {
  expect(serverAddress(new URL("https://api.test"))).toEqual({ host: "api.test", port: 443 });
  expect(serverAddress(new URL("http://[::1]/x"))).toEqual({ host: "::1", port: 80 });
  expect(serverAddress(new URL("https://api.test:80"))).toEqual({ host: "api.test", port: 80 });
});
