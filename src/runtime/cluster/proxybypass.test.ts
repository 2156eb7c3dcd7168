import { describe, expect, test } from "vitest";
import { bypassesProxy } from "./proxybypass.ts";

/** Cases of Go's x/net `http/httpproxy` `proxy_test.go`, TestUseProxy and around it. */
const GO_NO_PROXY =
  "foo.com, .barbaz.net, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64";

describe("Go's own table", () => {
  test.each([
    ["localhost", true],
    ["127.0.0.1", true],
    ["127.0.0.2", true],
    ["::1", true],
    ["::2", false],
    ["::ffff:127.0.0.1", true],
    ["localhost.net", false],
    ["local.localhost", false],
    ["barbaz.net", false],
    ["www.barbaz.net", true],
    ["foobar.com", false],
    ["www.foobar.com", false],
    ["foo.com", true],
    ["www.foo.com", true],
    ["192.168.1.1", true],
    ["192.168.1.2", false],
    ["192.168.1.3", true],
    ["192.168.1.4", false],
    ["10.0.0.2", true],
    ["2001:db8::52:0:1", true],
    ["2001:db8::52:0:2", false],
    ["2001:db8::52:0:3", true],
    ["2002:db8:a::123", true],
    ["fe80::424b:c8be:1643:a1b6", false],
  ])("%s: %j", (host, bypassed) => {
    expect(bypassesProxy(host, 80, GO_NO_PROXY)).toBe(bypassed);
  });
});

test.each([
  ["", "example.test", 443, false],
  [" , ,", "example.test", 443, false],
  ["*", "example.test", 443, true],
  ["a.test, * ", "10.1.1.1", 443, true],
  ["*.corp.test", "api.corp.test", 443, true],
  ["*.corp.test", "corp.test", 443, false],
  [".corp.test:6443", "api.corp.test", 6443, true],
  [".corp.test:6443", "api.corp.test", 443, false],
  ["API.Corp.Test", "api.corp.test", 443, true],
  ["corp.test", "evilcorp.test", 443, false],
  ["corp.test:", "corp.test", 443, true],
  [":443", "corp.test", 443, false],
  ["*corp.test", "acorp.test", 443, false],
  ["bücher.test", "xn--bcher-kva.test", 443, true],
  ["10.1.2.3/8", "10.200.0.1", 443, true],
  ["10.1.2.3/8", "11.0.0.1", 443, false],
  ["10.0.0.0/33", "10.0.0.1", 443, false],
  ["10.0.0.0/", "10.0.0.1", 443, false],
  ["10.0.0.0/8", "10.corp.test", 443, false],
  ["0.0.0.0/0", "9.9.9.9", 443, true],
  ["fd00::/8", "fd12:3456::1", 443, true],
  ["fd00::/8", "fe80::1", 443, false],
  ["10.0.0.1", "::ffff:10.0.0.1", 443, true],
  ["[fd00::1]", "fd00::1", 443, false], // Go wants no brackets without a port
  ["10.0.0.1:443", "10.0.0.1", 443, true],
  ["10.0.0.1:443", "10.0.0.1", 6443, false],
])("NO_PROXY %j, server %s:%i: %j", (noProxy, host, port, bypassed) => {
  expect(bypassesProxy(host, port, noProxy)).toBe(bypassed);
});
