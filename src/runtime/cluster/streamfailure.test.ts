import { expect, test } from "vitest";
import { streamFailure } from "./streamfailure.ts";

const forwarding = "an error occurred forwarding 8080 -> 80: error forwarding port 80 to pod 1f2e, uid : ";

test.each<[string, string, string, string]>([
  [
    "nothing listens (containerd)",
    `${forwarding}failed to execute portforward in network namespace "/var/run/netns/cni-1": failed to connect to localhost:80 inside namespace "1f2e", IPv4: dial tcp4 127.0.0.1:80: connect: connection refused IPv6 dial tcp6 [::1]:80: connect: connection refused`,
    "refused",
    "PodRefused",
  ],
  [
    "nothing listens (CRI-O)",
    `${forwarding}failed to connect to localhost:80 inside namespace 1f2e: dial tcp [::1]:80: connect: connection refused`,
    "refused",
    "PodRefused",
  ],
  [
    "the sandbox is gone",
    `${forwarding}failed to find sandbox "1f2e" in store: not found`,
    "refused",
    "PodGone",
  ],
  [
    "its network is closed",
    `${forwarding}network namespace for sandbox "1f2e" is closed`,
    "refused",
    "PodGone",
  ],
  ["the sandbox does not run", `${forwarding}sandbox container "1f2e" is not running`, "refused", "PodGone"],
  [
    "a dial that timed out",
    `${forwarding}failed to connect to localhost:80 inside namespace "1f2e", IPv4: dial tcp4 127.0.0.1:80: i/o timeout`,
    "refused",
    "PodUnreachable",
  ],
  [
    "the application reset it (containerd)",
    `${forwarding}failed to execute portforward in network namespace "/var/run/netns/cni-1": read tcp4 127.0.0.1:4->127.0.0.1:80: read: connection reset by peer`,
    "reset",
    "PodReset",
  ],
  [
    "a read that failed",
    `${forwarding}read tcp4 127.0.0.1:4->127.0.0.1:80: read: broken pipe`,
    "reset",
    "PodReset",
  ],
  ["words we do not know", "the moon is full", "reset", "StreamFailed"],
])("%s", (_name, text, kind, code) => {
  const failure = streamFailure(text, 80, "api-1");
  expect([failure.kind, failure.reason.code]).toEqual([kind, code]);
  expect(failure.reason.message).toContain("api-1");
});

test("unknown words are shown, but not at any length", () => {
  expect(streamFailure("x".repeat(4_000), 80, "api-1").reason.message.length).toBeLessThan(300);
});
