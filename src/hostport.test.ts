import { expect, test } from "vitest";
import { bracketed, hostPort, unbracketed } from "./hostport.ts";

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["localhost", "localhost"],
  ["::1", "[::1]"],
  ["fe80::1%eth0", "[fe80::1%eth0]"],
  ["[::1]", "[::1]"],
])("%s is %s in front of a port", (host, expected) => {
  expect(bracketed(host)).toBe(expected);
  expect(hostPort(host, 80)).toBe(`${expected}:80`);
  expect(hostPort(host, "53/udp")).toBe(`${expected}:53/udp`);
});

test.each([
  ["[::1]", "::1"],
  ["::1", "::1"],
  ["api.test", "api.test"],
])("the host %s of a URL is %s for a socket", (host, expected) => {
  expect(unbracketed(host)).toBe(expected);
});
