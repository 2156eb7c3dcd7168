import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { settle, turnUntil } from "../../../test/fakes/clock.ts";
import { TEXT, WebSocketDecoder, closeFrame, frameHeader, pingFrame } from "../wire/websocket.ts";
import { Intake } from "./intake.ts";
import { SocketPipe, type BytePipe } from "./pipe.ts";
import { WebSocketPipe } from "./websocketpipe.ts";

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Both ends of a loopback connection; `how` says whether ours reads into one buffer, or by `data` events. */
async function sockets(how: "onread" | "data"): Promise<{ near: Socket; far: Socket; intake: Intake }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const intake = new Intake();
  const { port } = server.address() as AddressInfo;
  const options = { port, host: "127.0.0.1" };
  const near = connect(how === "onread" ? { ...options, onread: intake.onread } : options);
  const [far] = (await accepted) as [Socket];
  await turnUntil(() => !near.connecting);
  server.close();
  far.on("error", () => {});
  open.push(near, far);
  return { near, far, intake: intake.attach(near) };
}

/** The same with a pipe over ours. */
async function ends(how: "onread" | "data", early = ""): Promise<{ pipe: SocketPipe; far: Socket }> {
  const { near, far, intake } = await sockets(how);
  return { pipe: new SocketPipe(near, intake, Buffer.from(early)), far };
}

/** Starts the pipe and writes down what it tells. */
function listen(
  pipe: BytePipe,
  answer: "taken" | "kept" = "taken",
): { text: string; parts: Buffer[]; events: string[] } {
  const heard = { text: "", parts: [] as Buffer[], events: [] as string[] };
  pipe.start({
    onBytes: (bytes) => {
      heard.text += String(bytes);
      heard.parts.push(bytes);
      return answer;
    },
    onDrain: () => heard.events.push("drain"),
    onClose: (why) => heard.events.push(why),
  });
  return heard;
}

describe.each(["onread", "data"] as const)("a socket that reads by %s", (how) => {
  test("gives what came early, then what comes", async () => {
    const { pipe, far } = await ends(how, "early ");
    const heard = listen(pipe);
    far.write("late");
    await turnUntil(() => heard.text === "early late");
  });

  test("gives nothing while it is paused, and loses nothing", async () => {
    const { pipe, far } = await ends(how);
    const heard = listen(pipe);
    pipe.pause();
    far.write("waits");
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(heard.text).toBe("");
    pipe.resume();
    await turnUntil(() => heard.text === "waits");
  });

  test("leaves alone what is kept", async () => {
    const { pipe, far } = await ends(how);
    const heard = listen(pipe, "kept");
    for (const word of ["one", "two", "three"]) {
      far.write(word);
      await turnUntil(() => heard.text.endsWith(word));
    }
    expect(heard.parts.map(String)).toEqual(["one", "two", "three"]);
  });

  test("tells once of its end", async () => {
    const { pipe, far } = await ends(how);
    const heard = listen(pipe);
    far.end("bye");
    await turnUntil(() => heard.events.length > 0);
    for (let turn = 0; turn < 20; turn++) await settle();
    expect([heard.text, heard.events]).toEqual(["bye", ["the API server closed the connection"]]);
  });

  test("tells nothing more once it is disposed of", async () => {
    const { pipe, far } = await ends(how);
    const heard = listen(pipe);
    pipe[Symbol.dispose]();
    far.write("late");
    await once(far, "close");
    expect([heard.text, heard.events]).toEqual(["", []]);
  });

  test("drains after it was congested", async () => {
    const { pipe, far } = await ends(how);
    const heard = listen(pipe);
    far.pause();
    while (pipe.write(Buffer.alloc(1 << 20))) await settle();
    expect(pipe.congested).toBe(true);
    far.resume();
    await turnUntil(() => heard.events.includes("drain"));
    expect(pipe.congested).toBe(false);
  });

  test("that ended before it was started says so then", async () => {
    const { near, far, intake } = await sockets(how);
    const pipe = new SocketPipe(near, intake, Buffer.from("early"));
    near.destroy(new Error("cut"));
    await once(far, "close");
    const heard = listen(pipe);
    expect([heard.text, heard.events]).toEqual(["early", ["connection broke (cut)"]]);
  });

  test("is closed by bytes that nobody asked for", async () => {
    const { far } = await sockets(how);
    far.write("HTTP/1.1 408 Request Timeout\r\n\r\n");
    await once(far, "close");
  });
});

test("a plain socket may hold on to what it was given", async () => {
  const { pipe } = await ends("onread");
  expect(pipe.takesAtOnce).toBe(false);
});

describe("a tunnel", () => {
  test("says each write in a binary message, masked, whether or not there is room for its header", async () => {
    const { pipe, far } = await ends("onread");
    const tunnel = new WebSocketPipe(pipe, false);
    const said: string[] = [];
    const decoder = new WebSocketDecoder(
      {
        onData: (part, kind) => void said.push(`${kind} ${String(part)}`),
        onMessageEnd: () => {},
        onPing: () => {},
        onPong: () => {},
        onClose: () => {},
      },
      "client",
    );
    far.on("data", (chunk) => decoder.push(Buffer.from(chunk)));
    listen(tunnel);
    tunnel.write(Buffer.from("tight"), 0);
    const roomy = Buffer.from(`${"x".repeat(tunnel.headroomBytes)}roomy`);
    tunnel.write(roomy.subarray(tunnel.headroomBytes), tunnel.headroomBytes);
    await turnUntil(() => said.length === 2);
    expect(said).toEqual(["binary tight", "binary roomy"]);
  });

  test("leaves the bytes as they are where TLS hides them", async () => {
    const { pipe, far } = await ends("onread");
    const tunnel = new WebSocketPipe(pipe, true);
    let heard = "";
    far.on("data", (chunk) => (heard += String(chunk)));
    listen(tunnel);
    tunnel.write(Buffer.from("as they are"), 0);
    await turnUntil(() => heard.endsWith("as they are"));
  });

  test("gives the bytes of messages, wherever these begin and end, and answers PINGs", async () => {
    const { pipe, far } = await ends("onread");
    const heard = listen(new WebSocketPipe(pipe, true));
    const answers: string[] = [];
    const decoder = new WebSocketDecoder(
      {
        onData: () => {},
        onMessageEnd: () => {},
        onPing: () => {},
        onPong: (payload) => void answers.push(String(payload)),
        onClose: () => {},
      },
      "client",
    );
    far.on("data", (chunk) => decoder.push(Buffer.from(chunk)));
    const bytes = Buffer.concat([
      frameHeader(3, { final: false }),
      Buffer.from("one"),
      pingFrame(Buffer.from("there?")),
      frameHeader(0, { opcode: 0 }),
      frameHeader(3),
      Buffer.from("two"),
    ]);
    far.setNoDelay(true);
    for (const byte of bytes) {
      far.write(Buffer.of(byte));
      await settle();
    }
    await turnUntil(() => heard.text === "onetwo" && answers.length === 1);
    expect(answers).toEqual(["there?"]);
  });

  test.each([
    ["a CLOSE", closeFrame(1000, "done"), "closed the connection (1000 done)"],
    ["a CLOSE without a code", Buffer.of(0x88, 0), "closed the connection (without a code)"],
    ["text", Buffer.concat([frameHeader(2, { opcode: TEXT }), Buffer.from("hi")]), "sent text"],
    ["an empty text", frameHeader(0, { opcode: TEXT }), "sent text"],
    ["nonsense", Buffer.from([0xff, 0xff]), "malformed WebSocket"],
    ["a masked frame", frameHeader(1, { key: 1 }), "malformed WebSocket"],
  ])("ends with %s, once, and closes its socket", async (_what, bytes, words) => {
    const { pipe, far } = await ends("onread");
    const heard = listen(new WebSocketPipe(pipe, true));
    far.write(bytes);
    await once(far, "close");
    expect(heard.events).toEqual([expect.stringContaining(words)]);
  });
});
