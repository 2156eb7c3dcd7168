import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { admission, descriptorLimit } from "./descriptors.ts";

const limits = (files: string): string =>
  [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max cpu time              unlimited            unlimited            seconds   ",
    `Max open files            ${files.padEnd(21)}1048576              files     `,
    "Max locked memory         8388608              8388608              bytes     ",
  ].join("\n");

describe("the limit on open files", () => {
  test("is the soft one of Linux", () => {
    expect(descriptorLimit("linux", () => limits("1024"))).toBe(1024);
  });

  test.each([
    ["there is none", "linux" as const, () => limits("unlimited")],
    ["the system has no such file", "darwin" as const, () => limits("1024")],
    ["nothing of the kind stands there", "linux" as const, () => "?"],
    [
      "it cannot be read",
      "linux" as const,
      () => {
        throw new Error("EACCES");
      },
    ],
  ])("is not known where %s", (_, platform, read) => {
    expect(descriptorLimit(platform, read)).toBe(undefined);
  });

  test.runIf(process.platform === "linux")("of this process is known", () => {
    expect(descriptorLimit()).toBeGreaterThan(100);
  });
});

describe("a client", () => {
  const client = (fd: number): Socket => Object.assign(Object.create(null), { _handle: { fd } }) as Socket;

  test.each([
    { limit: 256, room: 192 },
    { limit: 1_024, room: 768 },
    { limit: 20_000, room: 19_744 },
    { limit: 7, room: 6 },
  ])("has a place among $room of $limit descriptors", ({ limit, room }) => {
    const admit = admission(limit);
    expect(admit(client(room - 1))).toBe(undefined);
    expect(admit(client(room))).toEqual({
      code: "TooManyConnections",
      kind: "local",
      message: `too many connections: ${room} of this process's ${limit} file descriptors are in use, and the others are not for clients (raise \`ulimit -n\`)`,
    });
  });

  test("has a place where no limit or no descriptor is known", () => {
    expect(admission(undefined)(client(1_000_000))).toBe(undefined);
    expect(admission(8)({} as Socket)).toBe(undefined);
  });

  test.runIf(process.platform === "linux")("of a real socket is seen by its descriptor", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const arriving = once(server, "connection");
    const outside = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [accepted] = (await arriving) as [Socket];
    expect(admission(4)(accepted)?.message).toMatch(/^too many connections: \d+ of this process's 4 /);
    expect(admission(1 << 20)(accepted)).toBe(undefined);
    outside.destroy();
    accepted.destroy();
    server.close();
  });
});
