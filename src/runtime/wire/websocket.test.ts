import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { webSocket } from "../../../test/fuzz/codecs.ts";
import { growth } from "../../../test/fuzz/memory.ts";
import { corpus, survives, understands } from "../../../test/fuzz/properties.ts";
import {
  CLOSE_NORMAL,
  CONTINUATION,
  CONTROL_MAX_BYTES,
  TEXT,
  WebSocketDecoder,
  acceptKey,
  closeFrame,
  frameHeader,
  mask,
  pingFrame,
  pongFrame,
  type FrameSender,
} from "./websocket.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex");
const bytes = (text: string): Buffer => Buffer.from(text, "hex");

/** Of the examples in RFC 6455, 5.7. */
const KEY = 0x37fa213d;

describe("frames have the bytes of RFC 6455", () => {
  test.each<[string, Buffer, string]>([
    ["a binary message", frameHeader(5), "8205"],
    ["a text message", frameHeader(5, { opcode: TEXT }), "8105"],
    ["the start of a message", frameHeader(3, { final: false }), "0203"],
    ["its middle", frameHeader(2, { opcode: CONTINUATION, final: false }), "0002"],
    ["its empty end", frameHeader(0, { opcode: CONTINUATION }), "8000"],
    ["the longest short length", frameHeader(125), "827d"],
    ["the shortest length in two bytes", frameHeader(126), "827e007e"],
    ["256 bytes", frameHeader(256), "827e0100"],
    ["the longest length in two bytes", frameHeader(65_535), "827effff"],
    ["the shortest length in eight bytes", frameHeader(65_536), "827f0000000000010000"],
    ["2^53 - 1 bytes", frameHeader(2 ** 53 - 1), "827f001fffffffffffff"],
    ["a client's header", frameHeader(5, { opcode: TEXT, key: KEY }), "818537fa213d"],
    ["a client's header of 64 KiB", frameHeader(65_536, { key: KEY }), "82ff000000000001000037fa213d"],
    ["a client's header with the key that masks nothing", frameHeader(5, { key: 0 }), "828500000000"],
    ["a PING", pingFrame(Buffer.from("Hello")), "890548656c6c6f"],
    ["a client's PONG", pongFrame(Buffer.from("Hello"), KEY), "8a8537fa213d7f9f4d5158"],
    ["a PONG to an empty PING", pongFrame(Buffer.alloc(0), KEY), "8a8037fa213d"],
    ["a CLOSE", closeFrame(CLOSE_NORMAL), "880203e8"],
    ["a CLOSE with a reason", closeFrame(1011, "no"), "880403f36e6f"],
    ["a client's CLOSE", closeFrame(CLOSE_NORMAL, "", KEY), "888237fa213d3412"],
  ])("%s", (_name, frame, wanted) => {
    expect(hex(frame)).toBe(wanted);
  });

  test("a reason that does not fit is cut between characters", () => {
    const frame = closeFrame(1011, "é".repeat(100));
    expect(frame.length).toBe(2 + 2 + 122); // 123 would be half a character
    expect(heard("server", frame)).toEqual([`close 1011 ${"é".repeat(61)}`]);
  });
});

describe("masking", () => {
  test("has the bytes of the example", () => {
    const hello = Buffer.from("Hello");
    mask(hello, KEY);
    expect(hex(hello)).toBe("7f9f4d5158");
  });

  test("word by word is the same as byte by byte, wherever the bytes lie and the payload is", () => {
    const inputs = fc.tuple(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat({ max: 2 ** 32 - 1 }),
      fc.nat({ max: 9 }),
      fc.nat({ max: 9 }),
    );
    fc.assert(
      fc.property(inputs, ([payload, key, lies, offset]) => {
        const keyBytes = bytes(key.toString(16).padStart(8, "0"));
        const wanted = Buffer.from(payload.map((byte, i) => byte ^ keyBytes[(offset + i) % 4]!));
        const around = Buffer.alloc(lies + payload.length + 3, 0xaa);
        const masked = around.subarray(lies, lies + payload.length);
        masked.set(payload);
        mask(masked, key, offset);
        expect(hex(masked)).toBe(hex(wanted));
        expect(hex(around.subarray(lies + payload.length))).toBe("aaaaaa");
        expect(around.subarray(0, lies).every((byte) => byte === 0xaa)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** What the decoder says of the bytes. */
function heard(sender: FrameSender, ...chunks: readonly Buffer[]): readonly string[] {
  return webSocket(sender).hear(chunks);
}

describe("the decoder", () => {
  test("reads the examples of RFC 6455", () => {
    expect(heard("server", bytes("810548656c6c6f"))).toEqual(["text 48656c6c6f", "end text"]);
    expect(heard("client", bytes("818537fa213d7f9f4d5158"))).toEqual(["text 48656c6c6f", "end text"]);
    expect(heard("server", bytes("010348656c" + "80026c6f"))).toEqual(["text 48656c6c6f", "end text"]);
    expect(heard("server", bytes("890548656c6c6f"))).toEqual(["ping 48656c6c6f"]);
    expect(heard("client", bytes("8a8537fa213d7f9f4d5158"))).toEqual(["pong 48656c6c6f"]);
    const [kib, kib64] = [Buffer.alloc(256, 0x61), Buffer.alloc(65_536, 0x62)];
    expect(heard("server", bytes("827e0100"), kib)).toEqual([`binary ${hex(kib)}`, "end binary"]);
    expect(heard("server", bytes("827f0000000000010000"), kib64)).toEqual([
      `binary ${hex(kib64)}`,
      "end binary",
    ]);
  });

  test("hands on a payload as it comes, before the message is complete", () => {
    expect(heard("server", bytes("82ff".replace("ff", "05") + "6865"))).toEqual(["binary 6865"]);
    expect(heard("server", bytes("02026865"))).toEqual(["binary 6865"]);
  });

  test("tells control frames inside a message, and messages that are empty", () => {
    expect(heard("server", bytes("0201aa" + "890163" + "8001bb"))).toEqual([
      "binary aa",
      "ping 63",
      "binary bb",
      "end binary",
    ]);
    expect(heard("server", bytes("8200" + "8100" + "0200" + "8000"))).toEqual([
      "end binary",
      "end text",
      "end binary",
    ]);
  });

  test("hears nothing behind a close", () => {
    expect(heard("server", bytes("8800" + "8201aa"), bytes("ffff"))).toEqual(["close undefined "]);
    expect(heard("server", bytes("880403e86f6b"))).toEqual(["close 1000 ok"]);
  });

  test("unmasks in place: parts are views of the chunk", () => {
    const parts: Buffer[] = [];
    const ignore = (): void => {};
    const sink = { onMessageEnd: ignore, onPing: ignore, onPong: ignore, onClose: ignore };
    const chunk = bytes("828537fa213d7f9f4d5158");
    new WebSocketDecoder({ onData: (part) => void parts.push(part), ...sink }, "client").push(chunk);
    expect(parts[0]?.buffer).toBe(chunk.buffer);
    expect(chunk.toString("latin1", 6)).toBe("Hello");
  });

  test.each<[string, FrameSender, string, string]>([
    ["a reserved bit", "server", "c200", "a reserved bit is set"],
    ["the last reserved bit", "server", "9200", "a reserved bit is set"],
    ["an unknown data frame", "server", "8300", "unknown opcode 3"],
    ["an unknown control frame", "server", "8b00", "unknown opcode 11"],
    ["a server that masks", "server", "8280", "a masked frame"],
    ["a client that does not", "client", "8200", "a frame without a mask"],
    ["a PING in fragments", "server", "0900", "a PING in fragments"],
    ["a long PONG", "server", "8a7e", "a PONG of more than 125 bytes"],
    ["a continuation alone", "server", "8000", "a continuation of no message"],
    ["a continuation behind a message", "server", "82008000", "a continuation of no message"],
    ["a message inside another", "server", "02008200", "a message inside another"],
    ["125 in two bytes", "server", "827e007d", "a length of 125 in two bytes"],
    ["65535 in eight bytes", "server", "827f000000000000ffff", "a length of 65535 in eight bytes"],
    ["2^53 bytes", "server", "827f0020000000000000", "a frame of 2^53 bytes or more"],
    ["a negative length", "server", "827fffffffffffffffff", "a frame of 2^53 bytes or more"],
    ["half a code", "server", "880103", "a CLOSE of 1 byte"],
    ["a code for nobody to send", "server", "880203ed", "a CLOSE with code 1005"],
    ["a code that is none", "server", "88020000", "a CLOSE with code 0"],
    ["a reason that is no text", "server", "880303e8ff", "a CLOSE whose reason is not UTF-8"],
    ["HTTP in place of frames", "server", "485454502f", "a reserved bit is set"],
  ])("names what is wrong: %s", (_name, sender, wire, wanted) => {
    const peer = sender === "server" ? "API server" : "client";
    expect(heard(sender, bytes(wire)).at(-1)).toBe(`malformed WebSocket from the ${peer}: ${wanted}`);
  });
});

describe.each(["client", "server"] as const)("what a %s sends", (sender) => {
  const codec = webSocket(sender);

  test("is understood wherever it is cut", () => {
    fc.assert(understands(codec), { numRuns: 300 });
  });

  test("may be anything: it is decoded or refused, wherever it is cut", () => {
    fc.assert(survives(codec, corpus("websocket")), { numRuns: 1_000 });
  });
});

test.each<[string, Buffer, Buffer]>([
  ["a message without end", bytes("827f001fffffffffffff"), Buffer.alloc(65_536)],
  ["fragments without end", bytes("0200"), Buffer.concat([bytes("007effff"), Buffer.alloc(65_535)])],
  ["PINGs", Buffer.alloc(0), Buffer.concat(Array.from({ length: 500 }, () => pingFrame(Buffer.alloc(125))))],
  ["what comes behind a close", closeFrame(CLOSE_NORMAL), Buffer.alloc(65_536)],
])("%s: nothing of it is kept", (_name, start, chunk) => {
  const ignore = (): void => {};
  const sink = { onData: ignore, onMessageEnd: ignore, onPing: ignore, onPong: ignore, onClose: ignore };
  const decoder = new WebSocketDecoder(sink, "server");
  decoder.push(start);
  expect(growth((each) => decoder.push(each), chunk, 500)).toBeLessThan(1024 * 1024);
  expect(CONTROL_MAX_BYTES).toBe(125);
});

test("the accept key is that of RFC 6455, 1.3", () => {
  const sha1 = (text: string): Buffer => createHash("sha1").update(text).digest();
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==", sha1)).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});
