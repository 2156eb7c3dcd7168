import { describe, expect, test } from "vitest";
import { AddressClaims, isLoopback, readBind } from "./address.ts";
import type { Problem } from "./problem.ts";

function bind(value: unknown): readonly string[] | string {
  const problems: Problem[] = [];
  const addresses = readBind(value, (problem) => problems.push(problem));
  return (
    problems.map(({ message, path = [] }) => [...path, message].join(" ")).join("; ") ||
    (addresses ?? "nothing")
  );
}

describe("bind", () => {
  test.each([
    ["localhost"],
    ["127.0.0.1"],
    ["0.0.0.0"],
    ["255.255.255.255"],
    ["::"],
    ["::1"],
    ["fe80::1"],
    ["1::"],
    ["1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::"],
    ["::ffff:10.0.0.1"],
    ["1:2:3:4:5:6:1.2.3.4"],
    ["ABCD::"],
  ])("takes %s", (address) => {
    expect(bind(address)).toEqual([address]);
    expect(bind([address])).toEqual([address]);
  });

  test.each([
    ["127.0.0.257"],
    ["127.0.0"],
    ["127.0.0.01"],
    ["1.2.3.4.5"],
    ["::g"],
    [":::"],
    ["1::2::3"],
    ["1:2:3:4:5:6:7"],
    ["1:2:3:4:5:6:7:8:9"],
    ["1:2:3:4:5:6:7:8::"],
    ["1.2.3.4::"],
    ["::1.2.3.4:1"],
    ["12345::"],
    ["[::1]"],
    ["fe80::1%eth0"],
    ["domain.invalid"],
    ["Localhost"],
    ["All"],
    ["*"],
    [""],
    [80],
    [null],
    [{}],
  ])("refuses %j", (address) => {
    expect(bind(address)).toMatch(/^bind must be "localhost", "all", "docker" or an IP address, got /);
  });

  test("takes a list, and says which item is wrong", () => {
    expect(bind(["127.0.0.1", "::1", "192.168.0.7"])).toEqual(["127.0.0.1", "::1", "192.168.0.7"]);
    expect(bind(["127.0.0.1", "x", 5])).toBe(
      '1 bind must be "localhost", "all", "docker" or an IP address, got "x"; 2 bind must be "localhost", "all", "docker" or an IP address, got 5',
    );
    expect(bind([])).toBe("bind must name at least one address");
  });

  test.each([
    [["127.0.0.1", "127.0.0.1"]],
    [["localhost", "127.0.0.1"]],
    [["::1", "localhost"]],
    [["0.0.0.0", "10.0.0.1"]],
    [["10.0.0.1", "0.0.0.0"]],
    [["::1", "0:0:0:0:0:0:0:1"]],
    [["10.0.0.1", "::ffff:10.0.0.1"]],
  ])("refuses %j, which cannot be bound together", (addresses) => {
    expect(bind(addresses)).toBe(`1 bind has both "${addresses[0]}" and "${addresses[1]}", which overlap`);
  });

  test.each([[["0.0.0.0", "::"]], [["127.0.0.1", "127.0.0.2"]], [["0.0.0.0", "::1"]]])(
    "takes %j",
    (addresses) => {
      expect(bind(addresses)).toEqual(addresses);
    },
  );
});

test("all means every address of both families, and leaves room for no other", () => {
  expect(bind("all")).toEqual(["0.0.0.0", "::"]);
  expect(bind(["127.0.0.1", "all"])).toBe('1 bind has both "127.0.0.1" and "all", which overlap');
});

test("docker stays a word, since it is not known here what it stands for", () => {
  expect(bind(["localhost", "docker"])).toEqual(["localhost", "docker"]);
  expect(isLoopback("docker")).toBe(false);
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.9.8.7", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["10.0.0.1", false],
  ["::ffff:10.0.0.1", false],
  ["128.0.0.1", false],
])("%s is loopback: %s", (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});

test("a claim that is refused takes nothing", () => {
  const claims = new AddressClaims<string>();
  expect(claims.claim("::1", "first")).toBeUndefined();
  expect(claims.claim("localhost", "second")).toBe("first");
  expect(claims.claim("127.0.0.1", "third")).toBeUndefined();
});
