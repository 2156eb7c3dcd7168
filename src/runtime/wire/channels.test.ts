import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channels } from "../../../test/fuzz/codecs.ts";
import { growth } from "../../../test/fuzz/memory.ts";
import { corpus, survives, understands } from "../../../test/fuzz/properties.ts";
import { ChannelDecoder, channelHeader, portMessage } from "./channels.ts";
import { mask } from "./websocket.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex");
const bytes = (text: string): Buffer => Buffer.from(text, "hex");

/** The server's first messages for port 17001. */
const PORTS = "8203006942" + "8203016942";

describe("messages have the bytes of v4.channel.k8s.io", () => {
  test.each<[string, Buffer, string]>([
    ["the port on the data channel", portMessage(0, 17_001), "8203006942"],
    ["the port on the error channel", portMessage(1, 80), "8203015000"],
    ["data", channelHeader(0, 5), "820600"],
    ["words on a failure", channelHeader(1, 300), "827e012d01"],
    ["a client's data under the key that masks nothing", channelHeader(0, 5, 0), "82860000000000"],
    ["a client's data", channelHeader(0, 4, 0x37fa213d), "828537fa213d37"],
  ])("%s", (_name, header, wanted) => {
    expect(hex(header)).toBe(wanted);
  });

  test("a client's payload goes on behind the channel byte under the same key", () => {
    const payload = Buffer.from("question");
    mask(payload, 0x37fa213d, 1);
    const wire = Buffer.concat([channelHeader(0, payload.length, 0x37fa213d), payload]);
    expect(channels("client").hear([wire])).toEqual([`data ${hex(Buffer.from("question"))}`]);
  });
});

describe("the decoder", () => {
  test("passes over the port and tells data from words", () => {
    expect(channels("server").hear([bytes(PORTS + "820300aabb" + "8202016e" + "820200cc")])).toEqual([
      "data aabb",
      "error 6e",
      "data cc",
    ]);
  });

  test("takes messages in fragments, the port's too, and data before the other channel's port", () => {
    const port = "020100" + "000169" + "800142";
    const data = "0200" + "000100" + "0001aa" + "8001bb";
    expect(channels("server").hear([bytes(port + data + "8203016942")])).toEqual(["data aabb"]);
  });

  test("hands on a payload as it comes, before the message is complete", () => {
    expect(channels("server").hear([bytes(PORTS + "827e100000aa")])).toEqual(["data aa"]);
  });

  test("passes over messages that say nothing", () => {
    expect(
      channels("server").hear([bytes("8200" + "820100" + PORTS + "8200" + "820100" + "820200aa")]),
    ).toEqual(["data aa"]);
  });

  test("begins with data when it reads a client", () => {
    expect(channels("client").hear([bytes("828700000000" + "0068656c6c6f0a")])).toEqual([
      "data 68656c6c6f0a",
    ]);
  });

  test.each<[string, string, string]>([
    ["another port", "8203006a42", "port 17002 in place of 17001"],
    ["half a port", "82020069", "a port of 1 byte"],
    ["data in the place of the port", "820400aabbcc", "a port of more than 2 bytes"],
    ["another port of the error channel", "8203006942" + "8203010000", "port 0 in place of 17001"],
    ["an unknown channel", PORTS + "820202aa", "unknown channel 2"],
    ["the channel of base64", PORTS + "82023030", "unknown channel 48"],
    ["text", PORTS + "8102006e", "a text message"],
    ["empty text", PORTS + "8100", "a text message"],
  ])("names what is wrong: %s", (_name, wire, wanted) => {
    const said = channels("server").hear([bytes(wire)]);
    expect(said).toEqual([`malformed v4.channel.k8s.io from the API server: ${wanted}`]);
  });
});

describe.each(["client", "server"] as const)("what a %s sends", (sender) => {
  const codec = channels(sender);

  test("is understood wherever it is cut", () => {
    fc.assert(understands(codec), { numRuns: 300 });
  });

  test("may be anything: it is decoded or refused, wherever it is cut", () => {
    fc.assert(survives(codec, corpus("channels")), { numRuns: 1_000 });
  });
});

test("a message without end: nothing of it is kept", () => {
  const decoder = new ChannelDecoder({ onData: () => {}, onError: () => {} }, undefined);
  const push = (chunk: Buffer): void => decoder.onData(chunk, "binary");
  expect(growth(push, Buffer.alloc(65_536), 500)).toBeLessThan(1024 * 1024);
});
