import { describe, expect, test } from "vitest";
import {
  chosenMethod,
  connectAnswerBytes,
  connectRefusal,
  connectRequest,
  greeting,
  loginRequest,
  loginTaken,
} from "./socks5.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

describe("what is sent, byte by byte", () => {
  test("the offer of ways to log in", () => {
    expect(greeting(false).toString("hex")).toBe("050100");
    expect(greeting(true).toString("hex")).toBe("05020002");
  });

  test("user and password, in UTF-8", () => {
    expect(loginRequest({ user: "ann", password: "pü" })).toEqual(bytes("01 03 616e6e 03 70c3bc"));
    expect(loginRequest({ user: "a", password: "" })).toEqual(bytes("01 01 61 00"));
  });

  test.each([
    ["api.test", 6443, "05 01 00 03 08 6170692e74657374 192b"],
    ["10.1.2.255", 443, "05 01 00 01 0a0102ff 01bb"],
    ["fd00::1", 65535, "05 01 00 04 fd000000000000000000000000000001 ffff"],
    ["::", 1, "05 01 00 04 00000000000000000000000000000000 0001"],
    ["1:2:3:4:5:6:7:8", 1, "05 01 00 04 00010002000300040005000600070008 0001"],
    ["fe80::", 1, "05 01 00 04 fe800000000000000000000000000000 0001"],
    ["::ffff:10.0.0.1", 1, "05 01 00 04 00000000000000000000ffff0a000001 0001"],
    ["fe80::1%eth0", 1, "05 01 00 04 fe800000000000000000000000000001 0001"],
  ])("the wish for %s:%i", (host, port, hex) => {
    expect(connectRequest({ host, port })).toEqual(bytes(hex));
  });

  test("no name is cut to fit", () => {
    expect(() => connectRequest({ host: "x".repeat(256), port: 1 })).toThrow(RangeError);
  });
});

describe("what comes", () => {
  test("the choice of a method, the answer to a login", () => {
    expect([chosenMethod(bytes("0500")), chosenMethod(bytes("05ff")), chosenMethod(bytes("4854"))]).toEqual([
      0,
      0xff,
      undefined,
    ]);
    expect([loginTaken(bytes("0100")), loginTaken(bytes("0101")), loginTaken(bytes("0500"))]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  test.each([
    ["05 00 00 01 00000000 0000", 10],
    ["05 00 00 04 00000000000000000000000000000000 0000", 22],
    ["05 00 00 03 04 61626364 0000", 11],
    ["05 00 00 03 00 0000", 7],
  ])("yes, with an address: %s", (hex, size) => {
    const whole = bytes(hex);
    for (let read = 0; read < whole.length; read++) {
      const told = connectAnswerBytes(whole.subarray(0, read));
      expect(told === undefined || told > read).toBe(true); // never taken for whole too early
    }
    expect(connectAnswerBytes(whole)).toBe(size);
    expect(whole.length).toBe(size);
    expect(connectRefusal(whole)).toBeUndefined();
  });

  test.each([
    [1, "it failed for a reason it does not tell"],
    [2, "its rules do not allow the connection"],
    [3, "it has no route to the network"],
    [4, "it has no route to the host"],
    [5, "the connection was refused behind it"],
    [6, "the time to live of its packets expired"],
    [7, "it cannot make connections for others"],
    [8, "it cannot reach addresses of this kind"],
    [0x5b, "it refused with the unknown code 91"],
  ])("no, code %i: %s; two bytes are enough", (code, words) => {
    const answer = Buffer.from([5, code]);
    expect(connectAnswerBytes(answer)).toBe(2);
    expect(connectRefusal(answer)).toBe(words);
  });

  test.each(["0400", "4854 54502f", "05 00 00 02 00"])("what is not SOCKS5: %s", (hex) => {
    const read = bytes(hex);
    const size = connectAnswerBytes(read) ?? Number.NaN;
    expect(connectRefusal(read.subarray(0, size))).toBe("malformed");
  });
});
