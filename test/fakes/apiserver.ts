import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** An object as the API shows it, with at least a name. */
export interface ApiObject {
  readonly metadata: { readonly name: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** A request as the server saw it. */
export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

type Answer = (asked: Asked, response: ServerResponse) => void;

interface Logged {
  readonly version: number;
  readonly key: string;
  readonly type: string;
  readonly object: unknown;
}

interface OpenWatch {
  readonly key: string;
  readonly response: ServerResponse;
}

/** Enough of an API server for lists and watches: objects in memory, events in order, and answers a test scripts. */
export class FakeApiServer implements AsyncDisposable {
  readonly url: string;
  /** All requests, in order. */
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  readonly #watches = new Set<OpenWatch>();
  readonly #scripted: { readonly part: string; readonly answer: Answer; times: number }[] = [];
  #log: Logged[] = [];
  #oldest = 1;
  #version = 1;

  private constructor(server: Server, scheme: string, onRequest: (handle: Answer) => void) {
    this.#server = server;
    this.url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    onRequest((asked, response) => this.#answer(asked, response));
  }

  /** With `tls` it speaks https. */
  static async start(tls?: {
    readonly key: string;
    readonly cert: string;
    readonly ca?: string;
  }): Promise<FakeApiServer> {
    let handle: Answer = () => {};
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      const url = new URL(request.url ?? "/", "http://x");
      handle({ path: url.pathname, query: url.searchParams, headers: request.headers }, response);
    };
    const server = tls ? createTlsServer(tls, listener) : createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FakeApiServer(server, tls ? "https" : "http", (answer) => (handle = answer));
  }

  /** TCP connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Watches that are open now. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Requests for this resource since the start: `lists("pods")`, `watched("pods")`. */
  lists(resource: string): number {
    return this.asked.filter((a) => a.path.endsWith(`/${resource}`) && !a.query.has("watch")).length;
  }

  watched(resource: string): number {
    return this.asked.filter((a) => a.path.endsWith(`/${resource}`) && a.query.has("watch")).length;
  }

  put(namespace: string, resource: string, object: ApiObject): void {
    const key = `${namespace}/${resource}`;
    const objects = this.#objects.get(key) ?? new Map<string, ApiObject>();
    this.#objects.set(key, objects);
    const type = objects.has(object.metadata.name) ? "MODIFIED" : "ADDED";
    const versioned = this.#versioned(object);
    objects.set(object.metadata.name, versioned);
    this.#emit(key, type, versioned);
  }

  remove(namespace: string, resource: string, name: string): void {
    const key = `${namespace}/${resource}`;
    const object = this.#objects.get(key)?.get(name);
    if (!object) throw new Error(`no ${resource} ${name}`);
    this.#objects.get(key)?.delete(name);
    this.#emit(key, "DELETED", this.#versioned(object));
  }

  /** Ends all watches in order, as after `timeoutSeconds`. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
  }

  /** Sends text into every watch as it is. */
  sendRaw(text: string): void {
    for (const { response } of this.#watches) response.write(text);
  }

  bookmark(): void {
    this.#version++;
    const object = { metadata: { resourceVersion: String(this.#version), creationTimestamp: null } };
    for (const { response } of this.#watches) response.write(line("BOOKMARK", object));
  }

  /** Forgets past events: a watch from before is answered with 410. */
  compact(): void {
    this.#version++;
    this.#oldest = this.#version;
    this.#log = [];
  }

  /** Breaks all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Answers the next `times` requests whose path and query contain `part` itself. */
  script(part: string, answer: Answer, times = 1): void {
    this.#scripted.push({ part, answer, times });
  }

  /** Scripts an answer with a `Status` body. */
  refuse(part: string, code: number, times = 1, message = "no"): void {
    const body = JSON.stringify({ kind: "Status", status: "Failure", code, message });
    this.script(part, (_, response) => response.writeHead(code).end(body), times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #versioned(object: ApiObject): ApiObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #emit(key: string, type: string, object: unknown): void {
    this.#log.push({ version: this.#version, key, type, object });
    for (const watch of this.#watches) if (watch.key === key) watch.response.write(line(type, object));
  }

  #answer(asked: Asked, response: ServerResponse): void {
    this.asked.push(asked);
    const text = `${asked.path}?${asked.query.toString()}`;
    const scripted = this.#scripted.find((s) => s.times > 0 && text.includes(s.part));
    if (scripted) {
      scripted.times--;
      scripted.answer(asked, response);
      return;
    }
    const [, namespace, resource, name] =
      /\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(asked.path) ?? [];
    if (namespace === undefined) {
      response.writeHead(404).end();
      return;
    }
    const key = `${namespace}/${resource}`;
    if (name !== undefined) {
      const object = this.#objects.get(key)?.get(name);
      response.writeHead(object ? 200 : 404).end(JSON.stringify(object ?? { kind: "Status", code: 404 }));
      return;
    }
    if (asked.query.has("watch")) this.#watch(key, asked, response);
    else this.#list(key, asked, response);
  }

  #list(key: string, { query }: Asked, response: ServerResponse): void {
    const all = [...(this.#objects.get(key)?.values() ?? [])];
    const from = Number(query.get("continue") ?? 0);
    const to = from + Number(query.get("limit") ?? all.length);
    const more = to < all.length ? { continue: String(to) } : {};
    const items = from === to ? null : all.slice(from, to);
    const metadata = { resourceVersion: String(this.#version), ...more };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ kind: "List", metadata, items }));
  }

  #watch(key: string, { query }: Asked, response: ServerResponse): void {
    const since = Number(query.get("resourceVersion"));
    if (since < this.#oldest) {
      const status = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
      response.writeHead(200).end(line("ERROR", status));
      return;
    }
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    const watch = { key, response };
    this.#watches.add(watch);
    response.once("close", () => this.#watches.delete(watch));
    for (const event of this.#log) {
      if (event.key === key && event.version > since) response.write(line(event.type, event.object));
    }
  }
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** Waits until something is so, one turn of the event loop after the other; the test's own time limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
