import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordOf } from "../../../test/fakes/lockfolder.ts";
import { decodeClaim, decodeLock, encodeClaim, encodeLock, LOCK_MAX_BYTES } from "./lockrecord.ts";
import type { LockRecord } from "./lockrecord.ts";

const forward = { name: "api", protocol: "tcp", bind: ["localhost"], port: 8080 } as const;

function why(text: string): string | undefined {
  const decoded = decodeLock(Buffer.from(text));
  return decoded.kind === "bad" ? decoded.why : undefined;
}

function without(key: keyof LockRecord): string {
  return JSON.stringify({ ...recordOf(), [key]: undefined });
}

describe("a lock", () => {
  test("comes back as it was written", () => {
    const record = recordOf({ startTicks: null, bootId: null, config: { path: null, sha256: "" } });
    expect(decodeLock(encodeLock(record))).toEqual({ kind: "value", value: record });
  });

  test("names relay pods, and one of an older version none", () => {
    const relay = { kubeconfig: null, context: "kt", namespace: "shop", pod: "kfwd-relay-x", uid: "u-1" };
    expect(decodeLock(encodeLock(recordOf({ relays: [relay] })))).toMatchObject({
      value: { relays: [relay] },
    });
    expect(decodeLock(Buffer.from(without("relays")))).toMatchObject({
      kind: "value",
      value: { relays: [] },
    });
  });

  test("names what was stopped, and one of an older version nothing", () => {
    expect(decodeLock(encodeLock(recordOf({ stopped: ["db"] })))).toMatchObject({
      value: { stopped: ["db"] },
    });
    expect(decodeLock(Buffer.from(without("stopped")))).toMatchObject({ value: { stopped: [] } });
  });

  test("of more than fits that was stopped leaves the last out", () => {
    const stopped = Array.from({ length: 2_000 }, (_, i) => `f${i}`.padEnd(60, "x"));
    expect(encodeLock(recordOf({ stopped })).length).toBeLessThanOrEqual(LOCK_MAX_BYTES);
  });

  test("names who needs its forwards, one of an older version nobody, and one that is full not which", () => {
    const owners = [{ pid: 7, names: ["api", "db"] }];
    expect(decodeLock(encodeLock(recordOf({ owners })))).toMatchObject({ kind: "value", value: { owners } });
    expect(decodeLock(Buffer.from(without("owners")))).toMatchObject({
      kind: "value",
      value: { owners: [] },
    });
    const many = Array.from({ length: 90 }, (_, pid) => ({ pid, names: Array(60).fill("n".repeat(40)) }));
    expect(decodeLock(encodeLock(recordOf({ owners: many })))).toMatchObject({
      kind: "value",
      value: { owners: many.slice(0, 64).map(({ pid }) => ({ pid, names: [] })), forwards: [forward] },
    });
  });

  test("of a container's main process is one", () => {
    expect(decodeLock(encodeLock(recordOf({ pid: 1 })))).toMatchObject({ kind: "value", value: { pid: 1 } });
  });

  test("of 60 forwards fits", () => {
    const forwards = Array.from({ length: 60 }, (_, i) => ({ ...forward, name: `f${i}`.padEnd(40, "x") }));
    const decoded = decodeLock(encodeLock(recordOf({ forwards })));
    expect(decoded).toMatchObject({ kind: "value", value: { forwards } });
  });

  test("of more forwards than fit leaves the last out", () => {
    const forwards = Array.from({ length: 2_000 }, (_, i) => ({ ...forward, name: `f${i}` }));
    const bytes = encodeLock(recordOf({ forwards }));
    expect(bytes.length).toBeLessThanOrEqual(LOCK_MAX_BYTES);
    const decoded = decodeLock(bytes);
    if (decoded.kind === "bad") throw new Error(decoded.why);
    expect(decoded.value.forwards.length).toBeGreaterThan(400);
    expect(decoded.value.forwards).toEqual(forwards.slice(0, decoded.value.forwards.length));
  });

  test("cuts words that are too long rather than become unreadable", () => {
    const decoded = decodeLock(
      encodeLock(recordOf({ project: "p".repeat(300), lastWords: "w".repeat(5_000) })),
    );
    expect(decoded).toMatchObject({
      kind: "value",
      value: { project: "p".repeat(256), lastWords: "w".repeat(4_096) },
    });
  });

  test.each([
    {
      name: "too long even without forwards",
      over: { startedAt: "x".repeat(LOCK_MAX_BYTES) },
      why: "is too long",
    },
    { name: "not to be read again", over: { pid: 0 }, why: 'has no usable "pid"' },
  ])("that is $name is refused", ({ over, why: wanted }) => {
    expect(() => encodeLock(recordOf(over))).toThrow(wanted);
  });

  test("of a later version with fields we do not know is read", () => {
    const record = recordOf();
    const later = JSON.stringify({
      ...record,
      kfwdVersion: "9.0.0",
      protocol: { min: 7, max: 9 },
      mood: "good",
    });
    expect(decodeLock(Buffer.from(later))).toEqual({
      kind: "value",
      value: { ...record, kfwdVersion: "9.0.0", protocol: { min: 7, max: 9 } },
    });
  });

  test.each([
    { name: "empty", text: "", wanted: "is empty" },
    { name: "garbage", text: "\0\u0001\u0002", wanted: "is not JSON" },
    { name: "truncated", text: '{"schema":1,', wanted: "is not JSON" },
    { name: "null", text: "null", wanted: "is not a lock" },
    { name: "a list", text: "[]", wanted: "is not a lock" },
    {
      name: "of a later schema",
      text: '{"schema":2,"pid":"?"}',
      wanted: "was written by a later version of kfwd",
    },
    { name: "without a nonce", text: without("instance"), wanted: 'has no usable "instance"' },
    { name: "without a socket", text: without("socket"), wanted: 'has no usable "socket"' },
    ...[0, -1, 1.5, 2 ** 31, "7", null].map((pid) => ({
      name: `with pid ${JSON.stringify(pid)}`,
      text: JSON.stringify({ ...recordOf(), pid }),
      wanted: 'has no usable "pid"',
    })),
    {
      name: "with a short nonce",
      text: JSON.stringify({ ...recordOf(), instance: "abc" }),
      wanted: 'has no usable "instance"',
    },
    {
      name: "with a port out of range",
      text: JSON.stringify({ ...recordOf(), forwards: [{ ...forward, port: 65_536 }] }),
      wanted: 'has no usable "forwards"',
    },
  ])("that is $name is bad, and says why", ({ text, wanted }) => {
    expect(why(text)).toBe(wanted);
  });

  test("cut at any byte is bad, and never throws", () => {
    const bytes = encodeLock(recordOf());
    for (let at = 0; at < bytes.length - 1; at++) expect(decodeLock(bytes.subarray(0, at)).kind).toBe("bad");
  });

  test("with any bit flipped, or any garbage, never throws", () => {
    const bytes = encodeLock(recordOf());
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
        expect(["value", "bad"]).toContain(decodeLock(flipped).kind);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json()), (garbage) => {
        expect(decodeLock(Buffer.from(garbage)).kind).toBe("bad");
      }),
    );
  });
});

describe("a reaper's claim", () => {
  test("comes back, and is read out of a whole lock too", () => {
    const { schema, instance, pid, startTicks, bootId, pidNs, timeNs, netNs, host } = recordOf();
    const claim = { schema, instance, pid, startTicks, bootId, pidNs, timeNs, netNs, host };
    expect(decodeClaim(encodeClaim(claim))).toEqual({ kind: "value", value: claim });
    expect(decodeClaim(encodeLock(recordOf(claim)))).toEqual({ kind: "value", value: claim });
  });

  test.each([0, -1])("with pid %i is bad", (pid) => {
    const decoded = decodeClaim(Buffer.from(JSON.stringify({ ...recordOf(), pid })));
    expect(decoded).toEqual({ kind: "bad", why: 'has no usable "pid"' });
  });
});
