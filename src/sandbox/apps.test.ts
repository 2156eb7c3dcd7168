import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { databaseApp, echoApp, webApp, type App } from "./apps.ts";

const close: (() => Promise<unknown>)[] = [];

afterEach(() => Promise.all(close.splice(0).map((one) => one())));

async function client(app: App): Promise<Socket> {
  const server = createServer((socket) => app(socket, { name: "api-1", namespace: "shop" })).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8");
  close.push(() => {
    socket.destroy();
    server.close();
    return once(server, "close");
  });
  return socket;
}

/** Everything until the peer ends. */
async function all(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test("the web app names its pod", async () => {
  const app = webApp("hi");
  const text = await client(app);
  text.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(await all(text)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n[^]*hi from api-1 in shop\n/);
  const json = await client(app);
  json.write("GET /json HTTP/1.0\r\n\r\n");
  expect((await all(json)).split("\r\n\r\n")[1]).toBe('{"greeting":"hi","pod":"api-1","namespace":"shop"}\n');
});

test("the echo app sends back what it gets, to the end", async () => {
  const socket = await client(echoApp());
  socket.end("to and fro");
  expect(await all(socket)).toBe("to and fro");
});

test("the database greets first and answers lines, however they are cut", async () => {
  const socket = await client(databaseApp());
  const answers = all(socket);
  for (const part of ["PING\nse", "t colour dark ", "red\nGET colour\n", "GET size\nDROP x\nquit\n"])
    socket.write(part);
  expect(await answers).toBe(
    "READY api-1\nPONG\nOK\ndark red\nNONE\nERROR commands are PING, SET, GET, QUIT\nBYE\n",
  );
});

test("the database does not read a line without end", async () => {
  const socket = await client(databaseApp());
  socket.write("x".repeat(10_000));
  expect(await all(socket)).toContain("ERROR the line is too long");
});
