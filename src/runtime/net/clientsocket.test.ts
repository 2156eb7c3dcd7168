import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { settle, turnUntil } from "../../../test/fakes/clock.ts";
import { readInto } from "./clientsocket.ts";

let server: Server;
let client: Socket;
let accepted: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const arriving = once(server, "connection");
  client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  [accepted] = (await arriving) as [Socket];
});

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, "close"); // which comes when the server counts no client any more
});

describe.each([
  ["linux", 32],
  ["win32", 0],
] as const)("an accepted socket on %s", (platform, room) => {
  test("delivers every byte, in order, and may be scribbled over in front", async () => {
    const hash = createHash("sha256");
    let received = 0;
    const socket = readInto(
      accepted,
      (chunk, headroom) => {
        expect(headroom).toBe(room);
        if (headroom > 0) Buffer.from(chunk.buffer, chunk.byteOffset - headroom, headroom).fill(0xff);
        hash.update(chunk);
        received += chunk.length;
      },
      platform,
    );
    const sent = randomBytes(3 << 20);
    socket.resume();
    client.end(sent);
    await once(socket, "end");
    socket.destroy();
    expect(received).toBe(sent.length);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
  });

  test("is paused until it is started, and whenever it is told so", async () => {
    let heard = "";
    const socket = readInto(accepted, (chunk) => (heard += String(chunk)), platform);
    client.write("one");
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(heard).toBe("");
    socket.resume();
    await turnUntil(() => heard === "one");
    socket.pause();
    client.write("two");
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(heard).toBe("one");
    socket.resume();
    await turnUntil(() => heard === "onetwo");
    socket.destroy();
  });

  test("writes, half-closes and resets like any other", async () => {
    const socket = readInto(accepted, () => {}, platform);
    socket.end("answer");
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(String(answer)).toBe("answer");
    socket.resume();
    client.end("more");
    await once(socket, "close");
  });
});
