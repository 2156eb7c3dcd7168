import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { relay } from "../../../test/fuzz/codecs.ts";
import { growth } from "../../../test/fuzz/memory.ts";
import { corpus, survives, understands } from "../../../test/fuzz/properties.ts";
import {
  DATAGRAM_MAX_BYTES,
  RelayDecoder,
  challengeFrame,
  creditFrame,
  dataFrame,
  dataHeader,
  datagramFrame,
  droppedFrame,
  endFrame,
  finFrame,
  flowFrame,
  helloFrame,
  pingFrame,
  pongFrame,
  proofText,
  streamFrame,
  welcomeFrame,
} from "./relayframes.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex");
const nonce = Buffer.alloc(32, 0xaa);

describe("frames have these bytes: length, type, id, payload", () => {
  test.each<[string, Buffer, string]>([
    ["CHALLENGE", challengeFrame(nonce), "0025" + "01" + "00000000" + "6b667764" + "01" + "aa".repeat(32)],
    [
      "HELLO",
      helloFrame(nonce, Buffer.alloc(64, 0xbb)),
      "0061" + "02" + "00000000" + "01" + "aa".repeat(32) + "bb".repeat(64),
    ],
    ["WELCOME", welcomeFrame(nonce), "0020" + "03" + "00000000" + "aa".repeat(32)],
    ["PING", pingFrame(), "0000" + "04" + "00000000"],
    ["PONG", pongFrame(), "0000" + "05" + "00000000"],
    [
      "FLOW",
      flowFrame(7, { host: "10.0.0.9", port: 53 }),
      "000a" + "06" + "00000007" + "0035" + "31302e302e302e39",
    ],
    ["DATAGRAM", datagramFrame(7, Buffer.from("abcd", "hex")), "0002" + "07" + "00000007" + "abcd"],
    ["DATAGRAM of nothing", datagramFrame(7, Buffer.alloc(0)), "0000" + "07" + "00000007"],
    ["DROPPED", droppedFrame(7, 258, "tooLarge"), "0005" + "08" + "00000007" + "02" + "00000102"],
    ["END", endFrame(7, "unresolved", "no"), "0003" + "09" + "00000007" + "02" + "6e6f"],
    ["STREAM", streamFrame(0xffff_ffff, { host: "a", port: 80 }), "0003" + "0a" + "ffffffff" + "0050" + "61"],
    ["DATA", dataFrame(7, Buffer.from("ff", "hex")), "0001" + "0b" + "00000007" + "ff"],
    ["FIN", finFrame(7), "0000" + "0c" + "00000007"],
    ["CREDIT", creditFrame(7, 65_536), "0004" + "0d" + "00000007" + "00010000"],
  ])("%s", (_name, frame, wanted) => {
    expect(hex(frame)).toBe(wanted);
  });

  test("a header alone is that of a DATA frame", () => {
    expect(hex(dataHeader(7, 258))).toBe("0102" + "0b" + "00000007");
  });

  test("words that are too long are cut", () => {
    expect(endFrame(1, "refused", "x".repeat(1000)).length).toBe(7 + 1 + 200);
  });
});

test("a side cannot show the other's proof as its own", () => {
  expect(proofText("client", nonce, nonce).equals(proofText("relay", nonce, nonce))).toBe(false);
  expect(
    proofText("client", nonce, Buffer.alloc(32)).equals(proofText("client", Buffer.alloc(32), nonce)),
  ).toBe(false);
});

describe.each(["client", "relay"] as const)("frames of a %s", (sender) => {
  const codec = relay(sender);

  test("mean the same however they are cut", () => {
    fc.assert(understands(codec), { numRuns: 300 });
  });

  test("that are bent end in a named error or in something the rules allow", () => {
    fc.assert(survives(codec, corpus("relay")), { numRuns: 300 });
  });

  test("of the other side are refused", () => {
    const theirs = sender === "client" ? welcomeFrame(nonce) : flowFrame(1, { host: "a", port: 1 });
    expect(codec.hear([theirs]).at(-1)).toContain(
      `malformed relay frames from the ${sender}: a frame of unknown type`,
    );
  });
});

describe("what cannot be a frame is refused by its header alone", () => {
  test.each<[string, string]>([
    ["an unknown type", "0000" + "63" + "00000000"],
    ["a PING with bytes", "0001" + "04" + "00000000"],
    ["a PING of a flow", "0000" + "04" + "00000001"],
    ["a datagram of no flow", "0001" + "07" + "00000000"],
    ["a datagram that UDP cannot carry", "ffe4" + "07" + "00000001"],
    ["empty DATA", "0000" + "0b" + "00000001"],
  ])("%s", (_name, header) => {
    expect(
      relay("client")
        .hear([Buffer.from(header, "hex")])
        .at(-1),
    ).toMatch(/^malformed relay frames from the client: /);
  });

  test("the greeting of something else", () => {
    const ssh = Buffer.concat([Buffer.from("0025" + "01" + "00000000", "hex"), Buffer.alloc(37, "SSH-2.0")]);
    expect(relay("relay").hear([ssh]).at(-1)).toContain("no greeting of a relay");
  });

  test("another version", () => {
    const later = challengeFrame(nonce);
    later.writeUInt8(2, 11);
    expect(relay("relay").hear([later]).at(-1)).toContain("version 2 in place of 1");
  });
});

test("holds one unfinished frame, not what came before it", () => {
  const silent = {
    onPing() {},
    onPong() {},
    onDatagram() {},
    onEnd() {},
    onData() {},
    onFin() {},
    onCredit() {},
    onChallenge() {},
    onWelcome() {},
    onDropped() {},
  };
  const decoder = new RelayDecoder({ to: "relay", sink: silent });
  const frame = datagramFrame(1, Buffer.alloc(DATAGRAM_MAX_BYTES));
  const grown = growth(
    (chunk) => {
      decoder.push(chunk.subarray(0, 40_000));
      decoder.push(chunk.subarray(40_000));
    },
    frame,
    300,
  );
  expect(grown).toBeLessThan(4 * 1024 * 1024);
});
