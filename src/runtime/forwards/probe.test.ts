import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import type { ProbeSpec } from "../../schema/spec.ts";
import type { Reason } from "../core/status.ts";
import type { PodStream, StreamEnd, StreamHandler } from "../deps.ts";
import { probe } from "./probe.ts";
import { Prober } from "./prober.ts";

const http: ProbeSpec = {
  type: "http",
  path: "/healthz",
  status: [200, 399],
  intervalMs: 10_000,
  timeoutMs: 2_000,
  failures: 3,
};
const tcp: ProbeSpec = { ...http, type: "tcp" };

const refused: StreamEnd = {
  kind: "refused",
  reason: { code: "PodRefused", kind: "transient", message: `pod "a" refused port 80` },
};
const lost: StreamEnd = {
  kind: "lost",
  reason: { code: "ConnectionLost", kind: "transient", message: "lost" },
};

/** Streams to a pod that does what the test says. */
class Pod {
  readonly streams: { handler: StreamHandler; sent: string; aborted: boolean }[] = [];
  opening: "at once" | "never" | Error = "at once";

  readonly open = async (handler: StreamHandler, signal: AbortSignal): Promise<PodStream> => {
    if (this.opening instanceof Error) throw this.opening;
    const stream = { handler, sent: "", aborted: false };
    this.streams.push(stream);
    if (this.opening === "never") {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    }
    return {
      write: (chunk) => {
        stream.sent += chunk.toString();
        return true;
      },
      end: () => {},
      abort: () => (stream.aborted = true),
      pause: () => {},
      resume: () => {},
    };
  };

  get handler(): StreamHandler {
    return this.streams.at(-1)!.handler;
  }
}

function ask(spec: ProbeSpec) {
  const [clock, pod, stop] = [new FakeClock(), new Pod(), new AbortController()];
  const asking = {
    clock,
    pod,
    stop,
    verdict: "none yet" as Reason | null | undefined | string,
    begin: () => {
      probe(clock, spec, pod.open, stop.signal).then(
        (verdict) => (asking.verdict = verdict),
        (thrown: unknown) => (asking.verdict = `threw ${String(thrown)}`),
      );
      return settle();
    },
  };
  return asking;
}

describe("an http probe", () => {
  test("asks for the path, and an expected status is enough; the rest of the answer is not waited for", async () => {
    const asking = ask(http);
    await asking.begin();
    expect(asking.pod.streams[0]?.sent).toMatch(
      /^GET \/healthz HTTP\/1\.1\r\nHost: localhost\r\n.*\r\n\r\n$/s,
    );
    asking.pod.handler.onData(Buffer.from("HTTP/1.1 2"));
    await settle();
    expect(asking.verdict).toBe("none yet");
    asking.pod.handler.onData(Buffer.from("00 OK\r\n"));
    await settle();
    expect(asking.verdict).toBe(null);
    expect(asking.pod.streams[0]?.aborted).toBe(true);
    expect(asking.clock.pending).toBe(0);
  });

  const rows: readonly [string, (pod: Pod, clock: FakeClock) => unknown, string][] = [
    [
      "another status",
      (pod) => pod.handler.onData(Buffer.from("HTTP/1.1 500 x\r\n")),
      "answered 500, wanted 200 to 399",
    ],
    [
      "something else than HTTP",
      (pod) => pod.handler.onData(Buffer.from("220 smtp\r\n")),
      "the answer is not HTTP",
    ],
    ["an end without an answer", (pod) => pod.handler.onEnd(), "closed without an answer"],
    ["a refusal", (pod) => pod.handler.onClose(refused), `pod "a" refused port 80`],
    ["silence", (_pod, clock) => clock.advance(2_000), "no answer within 2 s"],
  ];
  test.each(rows)("%s fails it", async (_name, happens, words) => {
    const asking = ask(http);
    await asking.begin();
    await happens(asking.pod, asking.clock);
    await settle();
    expect(asking.verdict).toEqual({
      code: "ProbeFailed",
      kind: "transient",
      message: `the probe failed: GET /healthz: ${words}`,
    });
    expect(asking.clock.pending).toBe(0);
  });

  test("a way that cannot be had in time fails it, and is let go of", async () => {
    const asking = ask(http);
    asking.pod.opening = "never";
    await asking.begin();
    await asking.clock.advance(2_000);
    expect(asking.verdict).toMatchObject({ message: "the probe failed: GET /healthz: no answer within 2 s" });
    expect(asking.clock.pending).toBe(0);
  });

  test("a tunnel that breaks says nothing of the application", async () => {
    const asking = ask(http);
    await asking.begin();
    asking.pod.handler.onClose(lost);
    await settle();
    expect(asking.verdict).toBe(undefined);
  });

  test("ends with its signal", async () => {
    const asking = ask(http);
    await asking.begin();
    asking.stop.abort(new Error("stopped"));
    await settle();
    expect(asking.verdict).toBe("threw Error: stopped");
    expect(asking.pod.streams[0]?.aborted).toBe(true);
    expect(asking.clock.pending).toBe(0);
  });
});

describe("a tcp probe", () => {
  test("passes when nobody has refused it for a second; nothing is sent", async () => {
    const asking = ask(tcp);
    await asking.begin();
    await asking.clock.advance(999);
    expect(asking.verdict).toBe("none yet");
    await asking.clock.advance(1);
    expect(asking.verdict).toBe(null);
    expect(asking.pod.streams[0]?.sent).toBe("");
  });

  test("passes at once when the application speaks, fails when the pod refuses", async () => {
    const speaking = ask(tcp);
    await speaking.begin();
    speaking.pod.handler.onData(Buffer.from("220"));
    await settle();
    expect(speaking.verdict).toBe(null);
    const refusing = ask(tcp);
    await refusing.begin();
    refusing.pod.handler.onClose(refused);
    await settle();
    expect(refusing.verdict).toMatchObject({ message: `the probe failed: pod "a" refused port 80` });
  });
});

describe("probing again and again", () => {
  test("asks soon until it works for the first time, then at the interval, and never twice at once", async () => {
    const [clock, pod] = [new FakeClock(), new Pod()];
    const told: [number, string, number][] = [];
    const prober = new Prober(clock, http, pod.open, (trouble, nextMs) =>
      told.push([clock.now(), trouble?.message.slice(-3) ?? "well", nextMs]),
    );
    const say = async (text: string): Promise<void> => {
      pod.handler.onData(Buffer.from(`HTTP/1.1 ${text}\r\n`));
      await settle();
    };
    await settle();
    await say("500 x");
    await clock.advance(500);
    await clock.advance(1_999); // the second one gets no answer for a while
    expect(pod.streams.length).toBe(2);
    await say("500 x");
    await clock.advance(1_000);
    await say("200 OK");
    await clock.advance(9_999);
    expect(pod.streams.length).toBe(3);
    await clock.advance(1);
    await say("500 x");
    await clock.advance(10_000);
    expect(told).toEqual([
      [0, "399", 500],
      [2_499, "399", 3_499],
      [3_499, "well", 13_499],
      [13_499, "399", 23_499],
    ]);
    prober[Symbol.dispose]();
    await settle();
    expect(clock.pending).toBe(0);
    expect(pod.streams.every(({ aborted }) => aborted)).toBe(true);
  });
});
