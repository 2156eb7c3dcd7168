/** The demo's clients: what a developer's programs do with forwarded ports. */
import { get } from "node:http";
import { connect } from "node:net";

/** How long an answer may take. */
const PATIENCE_MS = 15_000;

/** Requests follow each other this closely, in milliseconds. */
const PACE_MS = 10;

/** The traffic goes on until the new pod has answered this often. */
const ENOUGH_ANSWERS = 20;

/** The body of `GET /`, without its line end. */
export function httpGet(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: "127.0.0.1", agent: false, timeout: PATIENCE_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => (body += text));
      response.on("end", () => resolve(body.trimEnd()));
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error(`no answer on port ${port}`)));
  });
}

/** What a server says first. */
export function firstLine(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: PATIENCE_MS });
    socket.on("data", (chunk) => {
      socket.destroy();
      resolve(String(chunk).trimEnd());
    });
    socket.on("error", reject);
    socket.on("timeout", () => socket.destroy(new Error(`nothing came on port ${port}`)));
  });
}

/** What requests met while something happened. */
export interface Seen {
  readonly answered: number;
  readonly failed: number;
  /** Names of the pods that answered, in the order they first did. */
  readonly pods: ReadonlySet<string>;
  readonly slowestMs: number;
}

/** Sends one request after the other, does `event` after a few, and stops when another pod has answered often enough. */
export async function trafficWhile(port: number, event: () => void, signal: AbortSignal): Promise<Seen> {
  const pods = new Set<string>();
  let [answered, failed, slowestMs, fromTheLast] = [0, 0, 0, 0];
  const endMs = performance.now() + PATIENCE_MS;
  while (fromTheLast < ENOUGH_ANSWERS && performance.now() < endMs) {
    signal.throwIfAborted();
    if (answered === ENOUGH_ANSWERS) event();
    const startMs = performance.now();
    try {
      const pod = /from (\S+)/.exec(await httpGet(port))?.[1] ?? "";
      pods.add(pod);
      answered++;
      if (pods.size > 1) fromTheLast++;
    } catch {
      failed++;
    }
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  return { answered, failed, pods, slowestMs };
}
