// Many clients of one local port, as a process of its own so that their sockets are nobody else's. Driven by messages;
// the port leads to an app that speaks first and then echoes.
import { connect } from "node:net";

/** Those that stay, until they are asked to leave. */
let clients = [];

/** What becomes of those that have come. */
let greetings = [];

/** Ways to leave; a half-close ends when the other side has ended, too. */
const LEAVING = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.resume().end(),
];

/** Nobody waits longer for a word. */
const PATIENCE_MS = 90_000;

/** `connected` when the kernel says so, which is before anybody has accepted it; `greeted`: with the socket, or how it ended. */
function come(port) {
  const socket = connect({ port, host: "127.0.0.1", timeout: PATIENCE_MS });
  let end = "ended";
  socket.on("error", ({ code }) => (end = code === "ECONNRESET" ? "reset" : String(code)));
  socket.on("timeout", () => {
    end = "silence";
    socket.destroy();
  });
  const connected = new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  const greeted = new Promise((resolve) => {
    socket.once("close", () => resolve(end));
    socket.once("data", () => resolve(socket.setTimeout(0)));
  });
  return { connected, greeted };
}

/** Resolves with whether its word came back. */
function talk(socket, index) {
  const word = `word ${index}\n`;
  let heard = "";
  return new Promise((resolve) => {
    const done = (whole) => {
      socket.setTimeout(0).off("data", onData).off("close", onClose);
      resolve(whole);
    };
    const onData = (part) => {
      heard += String(part);
      if (heard.length >= word.length) done(heard === word);
    };
    const onClose = () => done(false);
    socket.setTimeout(PATIENCE_MS).on("data", onData).on("close", onClose).write(word);
  });
}

function leave(socket, index) {
  return new Promise((resolve) => {
    socket.once("close", resolve);
    LEAVING[index % LEAVING.length](socket);
  });
}

function tally(outcomes) {
  const counts = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

const orders = {
  /** `count` clients at once; answers when the kernel has connected them. */
  async come({ port, count }) {
    const all = Array.from({ length: count }, () => come(port));
    greetings = all.map(({ greeted }) => greeted);
    await Promise.all(all.map(({ connected }) => connected));
    return {};
  },
  /** How those that came fared. Those that were greeted stay. */
  async greeted() {
    const all = await Promise.all(greetings);
    clients = all.filter((one) => typeof one !== "string");
    return tally(all.map((one) => (typeof one === "string" ? one : "greeted")));
  },
  async talk() {
    return tally((await Promise.all(clients.map(talk))).map((whole) => (whole ? "heard" : "unheard")));
  },
  async leave() {
    await Promise.all(clients.map(leave));
    const left = clients.length;
    clients = [];
    return { left };
  },
  /** `count` clients one after the other, in `width` lines; each talks and leaves. */
  async inTurn({ port, count, width }) {
    const outcomes = [];
    let next = 0;
    const line = async () => {
      for (let index = next++; index < count; index = next++) {
        const one = await come(port).greeted;
        const whole = typeof one === "string" ? one : (await talk(one, index)) ? "heard" : "unheard";
        if (typeof one !== "string") LEAVING[index % 2](one);
        outcomes.push(whole);
      }
    };
    await Promise.all(Array.from({ length: width }, line));
    return tally(outcomes);
  },
};

process.on("message", async (order) => process.send(await orders[order.do](order)));
