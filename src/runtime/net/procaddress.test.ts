import { endianness } from "node:os";
import { expect, test } from "vitest";
import { procAddress } from "./procaddress.ts";

test.skipIf(endianness() === "BE").each([
  ["127.0.0.1", 8080, "0100007F:1F90"],
  ["10.1.2.3", 53, "0302010A:0035"],
  ["::1", 53, "00000000000000000000000001000000:0035"],
  ["::", 1, "00000000000000000000000000000000:0001"],
  ["fe80::1%eth0", 53, "000080FE000000000000000001000000:0035"],
  ["2001:db8:1:2:3:4:5:6", 53, "B80D0120020001000400030006000500:0035"],
  ["::ffff:10.0.0.1", 53, "0000000000000000FFFF00000100000A:0035"],
])("%s port %i", (address, port, text) => {
  expect(procAddress({ address, port })).toBe(text);
});

test("a name is no address", () => {
  expect(procAddress({ address: "localhost", port: 1 })).toBeUndefined();
});
