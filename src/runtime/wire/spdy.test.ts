import { createInflate, type Inflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { spdy } from "../../../test/fuzz/codecs.ts";
import { growth } from "../../../test/fuzz/memory.ts";
import { corpus, survives, understands } from "../../../test/fuzz/properties.ts";
import {
  CONTROL_MAX_BYTES,
  HeaderBlockEncoder,
  SpdyDecoder,
  dataHeader,
  decodeHeaders,
  goAway,
  ping,
  resetStream,
  synReply,
  synStream,
} from "./spdy.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex");

describe("frames have the bytes of SPDY/3.1", () => {
  test.each<[string, Buffer, string]>([
    ["PING 7", ping(7), "80030006" + "00000004" + "00000007"],
    ["RST_STREAM 5 CANCEL", resetStream(5, 5), "80030003" + "00000008" + "00000005" + "00000005"],
    ["GOAWAY 9", goAway(9), "80030007" + "00000008" + "00000009" + "00000000"],
    ["DATA header", dataHeader(3, 65_536, false), "00000003" + "00010000"],
    ["DATA header with FIN", dataHeader(3, 0, true), "00000003" + "01000000"],
    [
      "SYN_STREAM",
      synStream(1, Buffer.from("abcd", "hex")),
      "80030001" + "0000000c" + "00000001" + "00000000" + "0000" + "abcd",
    ],
    ["SYN_REPLY", synReply(1, Buffer.from("abcd", "hex")), "80030002" + "00000006" + "00000001" + "abcd"],
  ])("%s", (_name, frame, wanted) => {
    expect(hex(frame)).toBe(wanted);
  });

  test("a header block is a zlib header once, a stored block and a sync marker", () => {
    const encoder = new HeaderBlockEncoder();
    const body = "00000001" + "00000004" + "706f7274" + "00000002" + "3830";
    const stored = "00" + "1200" + "edff" + body + "00" + "0000" + "ffff";
    expect(hex(encoder.encode([["port", "80"]]))).toBe("7801" + stored);
    expect(hex(encoder.encode([["port", "80"]]))).toBe(stored);
  });
});

test("zlib reads a connection's header blocks as one stream", async () => {
  const encoder = new HeaderBlockEncoder();
  const inflate = createInflate();
  for (const port of ["80", "8080", "65535"]) {
    const headers = [
      ["streamtype", "data"],
      ["port", port],
    ] as const;
    const plain = await inflateOne(inflate, encoder.encode(headers));
    expect([...decodeHeaders(plain)]).toEqual(headers);
  }
  inflate.close();
});

function inflateOne(inflate: Inflate, block: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    inflate.once("data", resolve);
    inflate.write(block);
  });
}

/** What the decoder says of the chunks. */
function decode(chunks: readonly Buffer[]): readonly string[] {
  return spdy.hear(chunks);
}

const session = Buffer.concat([
  synReply(1, Buffer.alloc(0)),
  synReply(3, Buffer.from("abcd", "hex")),
  dataHeader(3, 5, false),
  Buffer.from("hello"),
  Buffer.from("80030004" + "00000008" + "00000001" + "00000000", "hex"), // SETTINGS
  Buffer.from("80030009" + "00000008" + "00000003" + "00010000", "hex"), // WINDOW_UPDATE
  dataHeader(3, 0, false),
  dataHeader(3, 1, true),
  Buffer.from("!"),
  ping(2),
  resetStream(1, 3),
  dataHeader(5, 0, true),
  goAway(5),
]);

describe("the decoder", () => {
  test("says what each frame means and passes over what does not concern us", () => {
    expect(decode([session])).toEqual([
      "reply 1",
      "reply 3",
      "data 3 68656c6c6f21",
      "fin 3",
      "ping 2",
      "reset 1 3",
      "fin 5",
      "goaway 5",
    ]);
  });

  test("says the same whatever the chunks", () => {
    const whole = decode([session]);
    for (let at = 0; at <= session.length; at++) {
      expect(decode([session.subarray(0, at), session.subarray(at)])).toEqual(whole);
    }
    expect(decode(Array.from(session, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test("understands any session wherever it is cut", () => {
    fc.assert(understands(spdy), { numRuns: 300 });
  });

  test.each<[string, string, string]>([
    ["DATA on stream 0", "00000000" + "00000000", "DATA on stream 0"],
    ["another SPDY version", "80020006" + "00000004" + "00000001", "control frame of version 2"],
    ["HTTP in place of frames", "485454502f312e31", ""],
    ["a control frame that is too long", "80030001" + "00ffffff", "control frame of 16777215 bytes"],
    ["a PING of 5 bytes", "80030006" + "00000005" + "0000000100", "PING of 5 bytes"],
    ["a GOAWAY of 0 bytes", "80030007" + "00000000", "GOAWAY of 0 bytes"],
    ["a reset of stream 0", "80030003" + "00000008" + "0000000000000001", "RST_STREAM for stream 0"],
    ["a SYN_STREAM cut short", "80030001" + "00000004" + "00000001", "SYN_STREAM of 4 bytes"],
  ])("names what is wrong: %s", (_name, bytes, wanted) => {
    const said = decode([Buffer.from(bytes, "hex")]).at(-1);
    if (wanted === "") expect(said).toBe(undefined); // "HTTP" reads as DATA: an unknown stream, which nobody has
    else expect(said).toBe(`malformed SPDY from the API server: ${wanted}`);
  });

  test("takes anything: it is decoded or refused, wherever it is cut", () => {
    fc.assert(survives(spdy, corpus("spdy")), { numRuns: 1_000 });
  });

  test.each<[string, Buffer, Buffer]>([
    ["DATA without end", Buffer.alloc(0), frames(dataHeader(1, 16_000, false), 16_000)],
    ["control frames", Buffer.alloc(0), frames(synReply(1, Buffer.alloc(CONTROL_MAX_BYTES - 4)), 0)],
    ["half a control frame at a time", Buffer.of(0x80, 3), halves()],
  ])("%s: nothing of it is kept", (_name, start, chunk) => {
    const ignore = (): void => {};
    const decoder = new SpdyDecoder({
      onData: ignore,
      onFin: ignore,
      onSynStream: ignore,
      onSynReply: ignore,
      onReset: ignore,
      onPing: ignore,
      onGoAway: ignore,
    });
    decoder.push(start);
    expect(growth((each) => decoder.push(each), chunk, 500)).toBeLessThan(1024 * 1024);
  });
});

/** The frame with this many bytes behind it, four times. */
function frames(head: Buffer, payloadBytes: number): Buffer {
  const frame = Buffer.concat([head, Buffer.alloc(payloadBytes)]);
  return Buffer.concat([frame, frame, frame, frame]);
}

/** A PING without its first two bytes, and those of the next. */
function halves(): Buffer {
  return Buffer.concat([ping(2).subarray(2), ping(2).subarray(0, 2)]);
}

test.each<[string, string]>([
  ["nothing", ""],
  ["a count without pairs", "00000001"],
  ["a name longer than the block", "0000000100000fff61"],
])("headers cut short are an error: %s", (_name, bytes) => {
  expect(() => decodeHeaders(Buffer.from(bytes, "hex"))).toThrow("headers cut short");
});
