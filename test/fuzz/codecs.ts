/** The decoders under fuzzing: how each is heard, and what it should say of bytes that are as they should be. */
import fc from "fast-check";
import { ChannelDecoder, channelHeader, portMessage } from "../../src/runtime/wire/channels.ts";
import {
  DROP_CAUSES,
  END_CAUSES,
  RelayDecoder,
  challengeFrame,
  creditFrame,
  dataFrame,
  datagramFrame,
  droppedFrame,
  endFrame,
  finFrame,
  flowFrame,
  helloFrame,
  pingFrame as relayPing,
  pongFrame as relayPong,
  streamFrame,
  welcomeFrame,
} from "../../src/runtime/wire/relayframes.ts";
import {
  SpdyDecoder,
  dataHeader,
  decodeHeaders,
  goAway,
  ping,
  resetStream,
  synReply,
  synStream,
} from "../../src/runtime/wire/spdy.ts";
import {
  BINARY,
  CONTINUATION,
  TEXT,
  WebSocketDecoder,
  closeFrame,
  frameHeader,
  mask,
  pingFrame,
  pongFrame,
  type FrameSender,
  type MessageKind,
} from "../../src/runtime/wire/websocket.ts";
import { payload } from "./bytes.ts";
import { Transcript, protocolFailure } from "./transcript.ts";

/** Bytes on the wire, and what a decoder must say of them. */
export interface Session {
  readonly bytes: Buffer;
  readonly said: readonly string[];
}

/** A decoder with its sink. */
export interface Codec {
  readonly name: string;
  /** What the decoder says; its last line is the failure, if it comes to one. @throws what is no PROTOCOL failure. */
  hear(chunks: readonly Buffer[]): readonly string[];
  /** A peer that keeps to the rules. */
  readonly session: fc.Arbitrary<Session>;
}

/** Frames of a session, each with what is to be said of it. */
interface Frame {
  readonly bytes: Buffer;
  tell(transcript: Transcript): void;
}

function sessionOf(frames: readonly Frame[]): Session {
  const transcript = new Transcript();
  for (const frame of frames) frame.tell(transcript);
  return { bytes: Buffer.concat(frames.map(({ bytes }) => bytes)), said: transcript.lines };
}

function hearing(
  open: (transcript: Transcript) => (chunk: Buffer) => void,
): (chunks: readonly Buffer[]) => readonly string[] {
  return (chunks) => {
    const transcript = new Transcript();
    const push = open(transcript);
    try {
      for (const chunk of chunks) push(Buffer.from(chunk)); // a decoder may change it
    } catch (thrown) {
      transcript.say(protocolFailure(thrown));
    }
    return transcript.lines;
  };
}

const hex = (bytes: Buffer): string => bytes.toString("hex");

// --- SPDY ---

const id = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const word = fc.nat({ max: 2 ** 32 - 1 });

const spdyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.tuple(id, payload, fc.boolean()).map(([stream, bytes, fin]) => ({
    bytes: Buffer.concat([dataHeader(stream, bytes.length, fin), bytes]),
    tell: (to: Transcript) => {
      if (bytes.length > 0) to.add(`data ${stream}`, bytes);
      if (fin) to.say(`fin ${stream}`);
    },
  })),
  word.map((pingId) => ({ bytes: ping(pingId), tell: (to: Transcript) => to.say(`ping ${pingId}`) })),
  fc.tuple(id, word).map(([stream, status]) => ({
    bytes: resetStream(stream, status),
    tell: (to: Transcript) => to.say(`reset ${stream} ${status}`),
  })),
  id.map((stream) => ({ bytes: goAway(stream), tell: (to: Transcript) => to.say(`goaway ${stream}`) })),
  fc.tuple(id, fc.uint8Array({ maxLength: 30 })).map(([stream, block]) => ({
    bytes: synReply(stream, Buffer.from(block)),
    tell: (to: Transcript) => to.say(`reply ${stream}`),
  })),
  fc.tuple(id, fc.uint8Array({ maxLength: 30 })).map(([stream, block]) => ({
    bytes: synStream(stream, Buffer.from(block)),
    tell: (to: Transcript) => to.say(synLine(stream, Buffer.from(block))),
  })),
  fc.tuple(fc.constantFrom(4, 8, 9), fc.uint8Array({ maxLength: 40 })).map(([type, body]) => ({
    bytes: Buffer.concat([Buffer.of(0x80, 3, 0, type, 0, 0, 0, body.length), body]),
    tell: () => {}, // SETTINGS, HEADERS, WINDOW_UPDATE
  })),
);

/** The block is read as if it were inflated, so that the reading of headers is under fuzzing too. */
function synLine(stream: number, block: Buffer): string {
  try {
    return `syn ${stream} ${JSON.stringify([...decodeHeaders(block)])}`;
  } catch (thrown) {
    return `syn ${stream} ${hex(block)} ${protocolFailure(thrown)}`;
  }
}

/** SPDY/3.1, either way. */
export const spdy: Codec = {
  name: "spdy",
  hear: hearing((to) => {
    const decoder = new SpdyDecoder({
      onData: (stream, part) => to.add(`data ${stream}`, part),
      onFin: (stream) => to.say(`fin ${stream}`),
      onSynStream: (stream, block) => to.say(synLine(stream, block)),
      onSynReply: (stream) => to.say(`reply ${stream}`),
      onReset: (stream, status) => to.say(`reset ${stream} ${status}`),
      onPing: (pingId) => to.say(`ping ${pingId}`),
      onGoAway: (stream) => to.say(`goaway ${stream}`),
    });
    return (chunk) => decoder.push(chunk);
  }),
  session: fc.array(spdyFrame, { maxLength: 12 }).map(sessionOf),
};

// --- WebSocket ---

const key = fc.oneof({ weight: 3, arbitrary: word }, { weight: 1, arbitrary: fc.constant(0) });
const closeCode = fc.constantFrom(1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999);

/** A frame's payload under the key, if the sender has one. */
function masked(bytes: Buffer, maskKey: number | undefined, offset = 0): Buffer {
  const copy = Buffer.from(bytes);
  mask(copy, maskKey ?? 0, offset);
  return copy;
}

function keyOf(sender: FrameSender): fc.Arbitrary<number | undefined> {
  return sender === "client" ? key : fc.constant(undefined);
}

function controlFrame(sender: FrameSender): fc.Arbitrary<Frame> {
  const small = fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes));
  return fc.tuple(fc.boolean(), small, keyOf(sender)).map(([isPing, bytes, maskKey]) => ({
    bytes: (isPing ? pingFrame : pongFrame)(bytes, maskKey),
    tell: (to: Transcript) => to.say(`${isPing ? "ping" : "pong"} ${hex(bytes)}`),
  }));
}

/** A message in fragments, with control frames between them. */
function messageFrames(sender: FrameSender): fc.Arbitrary<Frame[]> {
  const parts = fc.array(fc.tuple(payload, keyOf(sender), fc.option(controlFrame(sender))), {
    minLength: 1,
    maxLength: 4,
  });
  return fc.tuple(fc.boolean(), parts).map(([text, fragments]) =>
    fragments.flatMap(([bytes, maskKey, control], i) => {
      const [first, final] = [i === 0, i === fragments.length - 1];
      const start = text ? TEXT : BINARY;
      const frame: Frame = {
        bytes: Buffer.concat([
          frameHeader(bytes.length, { opcode: first ? start : CONTINUATION, final, key: maskKey }),
          masked(bytes, maskKey),
        ]),
        tell: (to) => {
          if (bytes.length > 0) to.add(text ? "text" : "binary", bytes);
          if (final) to.say(`end ${text ? "text" : "binary"}`);
        },
      };
      return control === null ? [frame] : first ? [frame, control] : [control, frame];
    }),
  );
}

/** A message's frames must not be torn apart: a control frame that comes behind the last fragment is fine. */
function webSocketFrames(sender: FrameSender): fc.Arbitrary<Frame[]> {
  const close = fc
    .tuple(
      fc.option(fc.tuple(closeCode, fc.string({ unit: "grapheme", maxLength: 20 }))),
      keyOf(sender),
      payload,
    )
    .map(([said, maskKey, behind]): Frame => {
      const [code, reason] = said ?? [undefined, ""];
      const frame =
        code === undefined
          ? Buffer.from(maskKey === undefined ? "8800" : "888000000000", "hex")
          : closeFrame(code, reason, maskKey);
      return {
        bytes: Buffer.concat([frame, behind]), // nobody looks at what comes behind a close
        tell: (to) => to.say(`close ${code} ${reason}`),
      };
    });
  const body = fc.array(
    fc.oneof(
      messageFrames(sender),
      controlFrame(sender).map((frame) => [frame]),
    ),
    {
      maxLength: 6,
    },
  );
  return fc
    .tuple(body, fc.option(close))
    .map(([frames, end]) => [...frames.flat(), ...(end === null ? [] : [end])]);
}

/** WebSocket frames of a client, or of a server. */
export function webSocket(sender: FrameSender): Codec {
  return {
    name: `websocket of a ${sender}`,
    hear: hearing((to) => {
      const decoder = new WebSocketDecoder(
        {
          onData: (part, kind) => to.add(kind, part),
          onMessageEnd: (kind) => to.say(`end ${kind}`),
          onPing: (bytes) => to.say(`ping ${hex(bytes)}`),
          onPong: (bytes) => to.say(`pong ${hex(bytes)}`),
          onClose: (code, reason) => to.say(`close ${code} ${reason}`),
        },
        sender,
      );
      return (chunk) => decoder.push(chunk);
    }),
    session: webSocketFrames(sender).map(sessionOf),
  };
}

// --- v4.channel.k8s.io ---

const PORT = 17_001;

function channelFrames(sender: FrameSender): fc.Arbitrary<Frame[]> {
  const message = fc
    .tuple(fc.constantFrom(0, 1), payload, keyOf(sender))
    .map(([channel, bytes, maskKey]): Frame => ({
      bytes: Buffer.concat([
        channelHeader(channel === 0 ? 0 : 1, bytes.length, maskKey),
        masked(bytes, maskKey, 1),
      ]),
      tell: (to) => {
        if (bytes.length > 0) to.add(channel === 0 ? "data" : "error", bytes);
      },
    }));
  const ports: Frame[] = [
    { bytes: portMessage(0, PORT), tell: () => {} },
    { bytes: portMessage(1, PORT), tell: () => {} },
  ];
  const start = sender === "server" ? fc.constant(ports) : fc.constant([]);
  return fc
    .tuple(start, fc.array(fc.oneof(message, controlFrame(sender).map(quiet)), { maxLength: 10 }))
    .map(([first, frames]) => [...first, ...frames]);
}

/** Channels know nothing of control frames. */
function quiet({ bytes }: Frame): Frame {
  return { bytes, tell: () => {} };
}

/** The channels of a client, or of a server that forwards to {@link PORT}. */
export function channels(sender: FrameSender): Codec {
  return {
    name: `channels of a ${sender}`,
    hear: hearing((to) => {
      const inner = new ChannelDecoder(
        { onData: (part) => to.add("data", part), onError: (part) => to.add("error", part) },
        sender === "server" ? PORT : undefined,
      );
      const decoder = new WebSocketDecoder(
        {
          onData: (part: Buffer, kind: MessageKind) => inner.onData(part, kind),
          onMessageEnd: (kind: MessageKind) => inner.onMessageEnd(kind),
          onPing: () => {},
          onPong: () => {},
          onClose: () => to.say("closed"),
        },
        sender,
      );
      return (chunk) => decoder.push(chunk);
    }),
    session: channelFrames(sender).map(sessionOf),
  };
}

// --- the relay ---

const flowId = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const bytesOf = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));
const target = fc.record({
  host: fc.constantFrom("10.244.0.7", "fd00::1", "db.shop.svc.cluster.local", "x"),
  port: fc.integer({ min: 0, max: 65_535 }),
});

function said(bytes: Buffer, line: string): Frame {
  return { bytes, tell: (to) => to.say(line) };
}

const eitherSide: fc.Arbitrary<Frame> = fc.oneof(
  fc.constant(said(relayPing(), "ping")),
  fc.constant(said(relayPong(), "pong")),
  fc.tuple(flowId, payload).map(([to, bytes]) => {
    const whole = bytes.subarray(0, 65_507);
    return said(datagramFrame(to, whole), `datagram ${to} ${hex(whole)}`);
  }),
  fc
    .tuple(flowId, fc.constantFrom(...END_CAUSES), fc.constantFrom("", "getaddrinfo ENOTFOUND db", "ü"))
    .map(([to, why, words]) => said(endFrame(to, why, words), `end ${to} ${why} ${words}`)),
  fc.tuple(flowId, payload).map(([to, bytes]) => {
    const part = Buffer.concat([Buffer.of(1), bytes]).subarray(0, 65_535);
    return said(dataFrame(to, part), `data ${to} ${hex(part)}`);
  }),
  flowId.map((to) => said(finFrame(to), `fin ${to}`)),
  fc.tuple(flowId, word).map(([to, bytes]) => said(creditFrame(to, bytes), `credit ${to} ${bytes}`)),
);

const relaySide: fc.Arbitrary<Frame> = fc.oneof(
  bytesOf(32).map((nonce) => said(challengeFrame(nonce), `challenge ${hex(nonce)}`)),
  bytesOf(32).map((proof) => said(welcomeFrame(proof), `welcome ${hex(proof)}`)),
  fc
    .tuple(flowId, word, fc.constantFrom(...DROP_CAUSES))
    .map(([to, count, why]) => said(droppedFrame(to, count, why), `dropped ${to} ${count} ${why}`)),
);

const clientSide: fc.Arbitrary<Frame> = fc.oneof(
  fc
    .tuple(bytesOf(32), bytesOf(64))
    .map(([nonce, proof]) => said(helloFrame(nonce, proof), `hello ${hex(nonce)} ${hex(proof)}`)),
  fc
    .tuple(flowId, target)
    .map(([to, { host, port }]) => said(flowFrame(to, { host, port }), `flow ${to} ${host} ${port}`)),
  fc
    .tuple(flowId, target)
    .map(([to, { host, port }]) => said(streamFrame(to, { host, port }), `stream ${to} ${host} ${port}`)),
);

/** What the relay's side of a tunnel hears of a client, or the client's side of a relay. */
export function relay(sender: "client" | "relay"): Codec {
  const own = sender === "client" ? clientSide : relaySide;
  return {
    name: `relay frames of a ${sender}`,
    hear: hearing((to) => {
      const common = {
        onPing: () => to.say("ping"),
        onPong: () => to.say("pong"),
        onDatagram: (of: number, datagram: Buffer) => to.say(`datagram ${of} ${hex(datagram)}`),
        onEnd: (of: number, why: string, words: string) => to.say(`end ${of} ${why} ${words}`),
        onData: (of: number, part: Buffer) => to.say(`data ${of} ${hex(part)}`),
        onFin: (of: number) => to.say(`fin ${of}`),
        onCredit: (of: number, bytes: number) => to.say(`credit ${of} ${bytes}`),
      };
      const fromClient = {
        onHello: (nonce: Buffer, proof: Buffer) => to.say(`hello ${hex(nonce)} ${hex(proof)}`),
        onFlow: (of: number, { host, port }: { host: string; port: number }) =>
          to.say(`flow ${of} ${host} ${port}`),
        onStream: (of: number, { host, port }: { host: string; port: number }) =>
          to.say(`stream ${of} ${host} ${port}`),
      };
      const fromRelay = {
        onChallenge: (nonce: Buffer) => to.say(`challenge ${hex(nonce)}`),
        onWelcome: (proof: Buffer) => to.say(`welcome ${hex(proof)}`),
        onDropped: (of: number, count: number, why: string) => to.say(`dropped ${of} ${count} ${why}`),
      };
      const decoder =
        sender === "client"
          ? new RelayDecoder({ to: "client", sink: { ...common, ...fromClient } })
          : new RelayDecoder({ to: "relay", sink: { ...common, ...fromRelay } });
      return (chunk) => decoder.push(chunk);
    }),
    session: fc.array(fc.oneof(eitherSide, own), { maxLength: 12 }).map(sessionOf),
  };
}

/** What the runner's argument stands for. */
export const CODECS: ReadonlyMap<string, readonly Codec[]> = new Map([
  ["spdy", [spdy]],
  ["websocket", [webSocket("client"), webSocket("server")]],
  ["channels", [channels("client"), channels("server")]],
  ["relay", [relay("client"), relay("relay")]],
]);
