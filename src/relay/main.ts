/**
 * Composition root of the relay: the program that `node -e` runs in a relay pod, on a stock image of Node 20 or later.
 * Its settings are in the environment: the public half of the session's key, the port, how long to wait for a client.
 */
import { SessionKey } from "./proof.ts";
import { RelayServer } from "./server.ts";

const say = (line: string): void => void process.stdout.write(`kfwd relay: ${line}\n`);

/** Everything is in memory, so there is nothing to put in order. */
const end = (why: string, status: number): void => {
  say(why);
  process.exit(status);
};

const { KFWD_RELAY_KEY = "", KFWD_RELAY_PORT = "0", KFWD_RELAY_IDLE_MS = "90000" } = process.env;
process.on("SIGTERM", () => end("asked to end", 0)); // a container's main process has no default for it
process.on("SIGINT", () => end("asked to end", 0));
process.on("uncaughtException", (error) => end(`a bug: ${error.stack ?? error.message}`, 70));

const server = new RelayServer(
  { key: new SessionKey(KFWD_RELAY_KEY), port: Number(KFWD_RELAY_PORT), idleMs: Number(KFWD_RELAY_IDLE_MS) },
  (why) => end(why, 0),
);
server.listen((port) => say(`listening on 127.0.0.1:${port}`));
