import fc from "fast-check";
import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { isMetadataAddress, isMetadataHost } from "./linklocal.ts";

describe("what leads to a machine's own credentials", () => {
  test.each([
    "169.254.169.254",
    "169.254.0.1",
    "169.254.1",
    "169.16689662",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "2852039166",
    "100.100.100.200",
    "fe80::1",
    "FE80::1%eth0",
    "febf:ffff::1",
    "[fe80::1]",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "::169.254.169.254",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "metadata",
    "instance-data",
  ])("%s", (host) => {
    expect(isMetadataHost(host)).toBe(true);
  });
});

describe("what does not", () => {
  test.each([
    "169.253.255.255",
    "169.255.0.0",
    "10.0.0.1",
    "192.168.169.254",
    "169.254.169.254.example.com",
    "1.169.254.169",
    "db.example.com",
    "metadata.example.com",
    "fec0::1",
    "fd00:ec2::253",
    "::1",
    "2001:db8::a9fe:a9fe",
    "::ffff:10.0.0.1",
    "1:2:3",
    "1::2::3",
    "999.254.169.254",
    "169.254.169.254.1",
    "",
    "0x",
  ])("%s", (host) => {
    expect(isMetadataHost(host)).toBe(false);
  });

  test("every link-local IPv4 address is known, whatever else is not", () => {
    const byte = fc.nat({ max: 255 });
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const wanted = (a === 169 && b === 254) || [a, b, c, d].join(".") === "100.100.100.200";
        expect(isMetadataAddress(`${a}.${b}.${c}.${d}`)).toBe(wanted);
      }),
      {
        examples: [
          [169, 254, 0, 0],
          [169, 254, 255, 255],
        ],
      },
    );
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(isIP(address)).toBe(6);
        fc.pre(!address.startsWith("::") && !address.includes("."));
        const first = Number.parseInt(address.split(":")[0] ?? "", 16);
        expect(isMetadataAddress(address)).toBe(first >= 0xfe80 && first <= 0xfebf);
      }),
    );
  });
});
