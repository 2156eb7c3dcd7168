import { describe, expect, test } from "vitest";
import { KfwdError } from "../../errors.ts";
import type { ForwardStatus } from "../../runtime/index.ts";
import { colourLevel, paintFor } from "./colour.ts";
import { errorJson, errorText, paintFrameLine } from "./errortext.ts";
import { bytesText, durationText, localText, stateText } from "./forward.ts";
import { plainLine, sentinel, terminalLine } from "./progressline.ts";
import { statusTable } from "./statustable.ts";

const plain = paintFor(0);
const relay = {
  name: "kfwd-relay-9fk2",
  namespace: "shop",
  uid: "u",
  state: "running",
  reason: null,
} as const;
const noTraffic = {
  bytesIn: 0,
  bytesOut: 0,
  connections: 0,
  held: 0,
  waited: 0,
  served: 0,
  refused: 0,
  lateEnds: 0,
};

function forward(change: Partial<ForwardStatus> = {}): ForwardStatus {
  return {
    name: "api",
    description: null,
    state: "ready",
    reason: null,
    protocol: "tcp",
    required: true,
    local: [
      { address: "127.0.0.1", port: 8080 },
      { address: "::1", port: 8080 },
    ],
    bind: ["localhost"],
    localPort: 8080,
    target: { kind: "svc", name: "api" },
    targetText: "svc/api:http",
    context: "kt",
    namespace: "shop",
    pod: "api-7d9",
    podPort: 8080,
    since: "2026-11-21T10:00:00.000Z",
    attempt: 0,
    restarts: 0,
    retryAt: null,
    lastError: null,
    traffic: noTraffic,
    relay: null,
    datagrams: null,
    ...change,
  };
}

const waiting = forward({
  name: "cache",
  state: "waiting",
  reason: { code: "NoReadyPods", kind: "missing", message: "0 of 1 pods ready", hint: "kubectl get pods" },
  pod: null,
  podPort: null,
  traffic: { ...noTraffic, held: 1 },
});

describe("colour", () => {
  test.each<[string, Parameters<typeof colourLevel>, number]>([
    ["a terminal", ["auto", {}, true], 1],
    ["a pipe", ["auto", {}, false], 0],
    ["NO_COLOR", ["auto", { NO_COLOR: "1" }, true], 0],
    ["an empty NO_COLOR", ["auto", { NO_COLOR: "" }, true], 1],
    ["FORCE_COLOR on a pipe", ["auto", { FORCE_COLOR: "1" }, false], 1],
    ["FORCE_COLOR=0", ["auto", { FORCE_COLOR: "0" }, true], 0],
    ["NO_COLOR and FORCE_COLOR", ["auto", { NO_COLOR: "1", FORCE_COLOR: "1" }, true], 0],
    ["TERM=dumb", ["auto", { TERM: "dumb" }, true], 0],
    ["--color=always on a pipe", ["always", { NO_COLOR: "1" }, false], 1],
    ["--color=never", ["never", { FORCE_COLOR: "1" }, true], 0],
  ])("%s", (_name, given, wanted) => {
    expect(colourLevel(...given)).toBe(wanted);
  });
});

describe("words about a forward", () => {
  test.each<[string, Partial<ForwardStatus>, string]>([
    ["both loopback families", {}, "localhost:8080"],
    ["an address", { bind: ["10.0.0.1"] }, "10.0.0.1:8080"],
    ["an IPv6 address", { bind: ["::1"] }, "[::1]:8080"],
    ["several", { bind: ["localhost", "10.0.0.1"] }, "localhost+1:8080"],
    ["UDP", { protocol: "udp" }, "localhost:8080/udp"],
    ["auto, not bound yet", { localPort: null }, "localhost:?"],
  ])("local: %s", (_name, change, wanted) => {
    expect(localText(forward(change))).toBe(wanted);
  });

  test.each<[Partial<ForwardStatus>, string]>([
    [{}, "ready"],
    [{ relay }, "ready (relay)"],
    [{ state: "connecting", relay }, "connecting"],
    [{ state: "connecting" }, "connecting"],
    [{ state: "connecting", attempt: 2 }, "reconnecting (attempt 2)"],
    [{ state: "waiting", reason: waiting.reason }, "waiting (NoReadyPods)"],
  ])("state %#", (change, wanted) => {
    expect(stateText(forward(change))).toBe(wanted);
  });

  test.each([
    [0, "0.0s"],
    [412, "0.4s"],
    [12_345, "12s"],
    [100_000, "1m"],
    [7_200_000, "2h"],
    [3 * 86_400_000, "3d"],
    [-5, "0.0s"],
  ])("%d ms is %s", (ms, wanted) => {
    expect(durationText(ms)).toBe(wanted);
  });
});

describe("the status table", () => {
  const nowMs = Date.parse("2026-11-21T12:00:00.000Z");

  test("has a line a forward and the reasons below", () => {
    const busy = forward({ traffic: { ...noTraffic, connections: 3, held: 1 } });
    expect(statusTable([busy, waiting], { width: undefined, paint: plain, nowMs })).toBe(
      [
        "NAME   LOCAL           TARGET        STATUS                 UP  CONNS",
        "api    localhost:8080  svc/api:http  ready                  2h  3, 1 held",
        "cache  localhost:8080  svc/api:http  waiting (NoReadyPods)  -   1 held",
        "",
        "cache: 0 of 1 pods ready",
        "  hint: kubectl get pods",
      ].join("\n"),
    );
  });

  test("gives up width of target and status, not of names, on a narrow terminal", () => {
    const long = forward({ targetText: "svc/a-service-with-a-very-long-name-indeed:http" });
    const lines = statusTable([long, waiting], { width: 72, paint: plain, nowMs }).split("\n");
    for (const line of lines.slice(0, 3)) expect(line.length).toBeLessThanOrEqual(72);
    expect(lines[1]).toContain("…");
    expect(lines[2]).toContain("cache  localhost:8080");
  });

  test("mentions the last failure of a connection on a forward that is fine", () => {
    const lastError = { message: "pod refused port 80", at: "2026-11-21T11:59:00.000Z" };
    expect(statusTable([forward({ lastError })], { width: undefined, paint: plain, nowMs })).toContain(
      "api: ready, but a connection failed at 2026-11-21T11:59:00.000Z: pod refused port 80",
    );
  });

  test("counts the clients of UDP, and says what datagrams were lost for", () => {
    const dropped = { notReady: 2, full: 0, refused: 10, tooLarge: 0, unresolved: 0, received: 0, sent: 0 };
    const dns = forward({
      name: "dns",
      protocol: "udp",
      relay,
      datagrams: { flows: 7, crowdedOut: 0, in: 1, out: 2, dropped },
    });
    const lastError = {
      message: "nothing listens for datagrams on dns-1:53",
      at: "2026-11-21T11:59:00.000Z",
    };
    expect(
      statusTable([{ ...dns, lastError }], { width: undefined, paint: plain, nowMs }).split("\n"),
    ).toEqual([
      "NAME  LOCAL               TARGET        STATUS         UP  CONNS",
      "dns   localhost:8080/udp  svc/api:http  ready (relay)  2h  7",
      "",
      "dns: ready, but datagrams were lost at 2026-11-21T11:59:00.000Z: nothing listens for datagrams on dns-1:53",
      "dns: 12 datagrams lost: 10 nothing listened there, 2 nothing was ready",
    ]);
  });

  test("in its wide form shows the relay pod, its state and the datagrams, where there are any", () => {
    const dropped = { notReady: 2, full: 0, refused: 10, tooLarge: 0, unresolved: 0, received: 0, sent: 0 };
    const dns = forward({
      protocol: "udp",
      relay,
      datagrams: { flows: 7, crowdedOut: 0, in: 1, out: 20, dropped },
    });
    const made = forward({ name: "db", relay: { ...relay, name: null, state: "creating" } });
    const look = { width: undefined, paint: plain, nowMs, wide: true };
    const lines = statusTable([dns, made, forward()], look).split("\n");
    expect(lines.slice(0, 4).map((line) => line.split(/ {2,}/).slice(-4, -1))).toEqual([
      ["NEXT TRY", "RELAY", "DATAGRAMS"],
      ["-", `${relay.name} (running)`, "1 in, 20 out, 12 lost"],
      ["-", "- (creating)", "-"],
      ["-", "-", "-"],
    ]);
    expect(statusTable([forward()], look)).not.toContain("RELAY");
  });

  test("in its wide form shows who needs which forward, where anybody does", () => {
    const look = { width: undefined, paint: plain, nowMs, wide: true };
    const owners = [
      { pid: 7, names: ["api"] },
      { pid: null, names: ["api", "gone"] },
    ];
    const lines = statusTable([forward(), forward({ name: "db" })], { ...look, owners }).split("\n");
    expect(lines.slice(0, 3).map((line) => line.split(/ {2,}/).at(-2))).toEqual([
      "NEEDED BY",
      "pid 7, pid unknown",
      "-",
    ]);
    expect(statusTable([forward()], look)).not.toContain("NEEDED BY");
  });

  test.each([
    ["2 of 40", { lateEnds: 2, served: 40 }, null, false],
    ["37 of 40", { lateEnds: 37, served: 40 }, null, true],
    ["37 of 40, through the relay already", { lateEnds: 37, served: 40 }, relay, false],
  ])("names a forward that would gain from the relay: late ends %s", (_name, counts, relay, isNamed) => {
    const web = forward({ traffic: { ...noTraffic, ...counts }, relay });
    const shown = statusTable([web], { width: undefined, paint: plain, nowMs });
    expect(shown.includes("api: 37 of 40 connections were ended by the server")).toBe(isNamed);
    expect(shown.includes("`via: relay`")).toBe(isNamed);
  });

  test("shows no control character, whatever a cluster calls its pods", () => {
    const hostile = "\u001b[2J\r\u202ekcolb";
    const evil = forward({
      state: "waiting",
      targetText: `svc/${hostile}`,
      reason: { code: hostile, kind: "missing", message: hostile, hint: hostile },
    });
    const shown = statusTable([evil], { width: undefined, paint: plain, nowMs });
    // oxlint-disable-next-line no-control-regex
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(shown).toContain("\\u001b[2J");
  });
});

describe("progress", () => {
  test("is a line of keys and values where nobody watches", () => {
    expect(plainLine(forward(), "2026-11-21T10:00:00.412Z", 411.6)).toBe(
      "2026-11-21T10:00:00.412Z api ready local=127.0.0.1:8080,[::1]:8080 target=svc/api:http pod=api-7d9:8080 ms=412",
    );
    expect(plainLine(waiting, "2026-11-21T10:00:00.412Z", 5)).toBe(
      '2026-11-21T10:00:00.412Z cache waiting local=127.0.0.1:8080,[::1]:8080 target=svc/api:http reason=NoReadyPods message="0 of 1 pods ready" hint="kubectl get pods" held=1 ms=5',
    );
  });

  test("is words on a terminal, with the reason below", () => {
    expect(terminalLine(forward(), 5, 412, plain)).toBe(
      " ✔ api    localhost:8080   svc/api:http → api-7d9:8080  0.4s",
    );
    expect(terminalLine(waiting, 5, 412, plain).split("\n")).toEqual([
      " … cache  localhost:8080   svc/api:http  waiting (NoReadyPods)",
      "     0 of 1 pods ready",
      "     hint: kubectl get pods",
    ]);
    expect(terminalLine(forward({ relay }), 3, 412, plain)).toBe(
      " ✔ api  localhost:8080   svc/api:http → api-7d9:8080 via relay kfwd-relay-9fk2  0.4s",
    );
    expect(plainLine(forward({ relay }), "2026-11-21T10:00:00.412Z", 5)).toContain(
      " relay=kfwd-relay-9fk2 ms=5",
    );
    expect(terminalLine(forward({ state: "stopped", pod: null }), 3, 412, plain)).toBe(
      " ■ api  localhost:8080   svc/api:http  stopped",
    );
  });

  test.each([
    ["ready", 3, 3, "kfwd: ready 3/3"],
    ["ready", 2, 3, "kfwd: ready 2/3"],
    ["pending", 2, 3, "kfwd: degraded 2/3"],
    ["stuck", 0, 1, "kfwd: degraded 0/1"],
  ] as const)("ends with a fixed line: %s %d/%d", (verdict, ready, total, wanted) => {
    expect(sentinel({ verdict, ready, total, late: [], exit: 0 })).toBe(wanted);
  });
});

test("what is wrong in a file has the colours of errors", () => {
  const coloured = paintFor(1);
  expect(paintFrameLine({ kind: "title", text: "error: a warning: b" }, coloured)).toBe(
    `${coloured.bad("error:")} a warning: b`,
  );
  expect(paintFrameLine({ kind: "title", text: "warning: c" }, coloured)).toBe(
    `${coloured.waiting("warning:")} c`,
  );
  expect(paintFrameLine({ kind: "hint", text: "hint: d" }, coloured)).toBe(`${coloured.dim("hint:")} d`);
  expect(paintFrameLine({ kind: "caret", text: "     |  ^^" }, coloured)).toBe(
    `     |  ${coloured.bad("^^")}`,
  );
  expect(paintFrameLine({ kind: "focus", text: " > 1 | error:" }, coloured)).toBe(" > 1 | error:");
});

test("an error says what, in detail, and what to do, with nothing that moves the cursor", () => {
  const error = new KfwdError("CONTEXT_UNKNOWN", `context "x\u001b" not found`, {
    detail: "  it said: \u001b[2J\r\n  log: a",
    hint: "contexts: a",
  });
  expect(errorText(error, plain)).toBe(
    'error: context "x\\u001b" not found\n  it said: \\u001b[2J\\u000d\n  log: a\nhint: contexts: a',
  );
  expect(JSON.parse(errorJson(error))).toEqual({
    error: { code: "KFWD_CONTEXT_UNKNOWN", message: 'context "x\u001b" not found', hint: "contexts: a" },
  });
});

describe("bytes", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1 kB"],
    [1_234, "1.2 kB"],
    [99_499, "99 kB"],
    [999_499, "999 kB"],
    [999_600, "1 MB"],
    [34_000_000_000, "34 GB"],
  ])("%d are %s", (bytes, wanted) => expect(bytesText(bytes)).toBe(wanted));
});
