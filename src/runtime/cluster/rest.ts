/** Talks to the Kubernetes API over HTTP/1.1, on connections that are kept and shared. */
import type { IncomingMessage } from "node:http";
import type { Clock } from "../deps.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { Connector } from "./connector.ts";
import { exchange, type Deed } from "./exchange.ts";
import { answerFailure, deadlineFailure, dialFailure, malformedAnswer, type ApiCall } from "./failures.ts";
import { KeptSockets } from "./keptsockets.ts";
import { Reach } from "./reach.ts";
import { Throttle } from "./throttle.ts";
import { LineSplitter } from "../wire/lines.ts";
import { ItemSplitter } from "../wire/listitems.ts";
import { Watchdog } from "./watchdog.ts";

const BODY_SILENCE_MS = 10_000;

/** A watch has a bookmark each minute (apiserver `storage/cacher`); without one for this long nobody is there. */
const WATCH_SILENCE_MS = 90_000;

/** Longest answer with one object. */
const BODY_MAX_BYTES = 4 * 1024 * 1024;
const REFUSAL_MAX_BYTES = 64 * 1024;

/** Longest line of a watch, and longest item of a list: etcd takes objects up to 1.5 MiB. */
const LINE_MAX_BYTES = 4 * 1024 * 1024;

/** A request, and what it is about for the words of its failure. */
export interface ApiRequest {
  /** Segments of the path behind the server's prefix, not yet encoded. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string | number | boolean>>;
  readonly call: ApiCall;
  /** Absent: GET. */
  readonly deed?: Deed;
}

/** Requests to one API server as one user. Disposing breaks off what is under way. */
export class RestClient implements Disposable {
  readonly access: RenewableAccess;
  readonly #clock: Clock;
  readonly #connector: Connector;
  readonly #throttle: Throttle;
  readonly #reach: Reach;
  /** The newest serves; an older one, of other certificates or another proxy, lives on until its requests have ended. */
  #kept: Kept[] = [];

  /** `onBack` is called when the server serves again after it did not; it must not throw. */
  constructor(access: RenewableAccess, clock: Clock, onBack: () => void = () => {}) {
    this.access = access;
    this.#throttle = new Throttle(clock);
    this.#reach = new Reach(clock, onBack);
    this.#connector = new Connector(access, clock);
    this.#clock = clock;
  }

  /**
   * The answer's JSON, to a GET or to a deed (POST, DELETE), which may have been done although this throws.
   * @throws ApiRefusal for an answer other than success, KfwdError of exit status 4 for the rest, or the signal's reason.
   */
  async ask(request: ApiRequest, signal: AbortSignal): Promise<unknown> {
    const text = await this.#body(await this.#send(request, signal), BODY_MAX_BYTES, signal);
    if (text === undefined) throw malformedAnswer(this.access, `more than ${BODY_MAX_BYTES} bytes`);
    return this.#parse(text);
  }

  /** As {@link ask}, with what the server says of its time. */
  async greet(
    request: ApiRequest,
    signal: AbortSignal,
  ): Promise<{ readonly json: unknown; readonly date: string | undefined }> {
    const response = await this.#send(request, signal);
    const { date } = response.headers;
    return { json: this.#parse((await this.#body(response, BODY_MAX_BYTES, signal)) ?? ""), date };
  }

  /**
   * One page of a list: `take` is called with the JSON of each item as it arrives, the promise resolves with the
   * list's own members.
   * @throws as {@link ask}; `PROTOCOL` when it is cut short.
   */
  async list(request: ApiRequest, take: (item: unknown) => void, signal: AbortSignal): Promise<unknown> {
    const splitter = new ItemSplitter(LINE_MAX_BYTES);
    for await (const chunk of this.#chunks(await this.#send(request, signal), BODY_SILENCE_MS, signal)) {
      const items = splitter.push(chunk);
      if (items === undefined)
        throw malformedAnswer(this.access, `an object of more than ${LINE_MAX_BYTES} bytes`);
      for (const item of items) take(this.#parse(item));
    }
    return this.#parse(splitter.around);
  }

  /**
   * The events of a watch as parsed JSON, in batches as they arrive; reading stops while nobody takes the next. The
   * promise resolves when the watch stands. The batches end when the server ends the watch in order.
   * @throws as {@link ask}, from the promise and from the batches; `PROTOCOL` for a line that is cut short or no JSON.
   */
  async watch(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<readonly unknown[]>> {
    return this.#events(await this.#send(request, signal), signal);
  }

  /** That the server did not serve a moment ago says nothing any more: the next request finds out. */
  forgetTrouble(): void {
    this.#reach.forget();
  }

  /** The machine slept: the next requests go on new connections, since the kept ones may be dead. */
  wake(): void {
    this.#reach.forget();
    this.#kept = this.#kept.filter(({ agent }) => agent.retire());
  }

  [Symbol.dispose](): void {
    for (const { agent } of this.#kept) agent.destroy();
  }

  async *#events(
    response: IncomingMessage,
    signal: AbortSignal,
  ): AsyncGenerator<readonly unknown[], void, undefined> {
    const lines = new LineSplitter(LINE_MAX_BYTES);
    for await (const chunk of this.#chunks(response, WATCH_SILENCE_MS, signal)) {
      const whole = lines.push(chunk);
      if (whole === undefined)
        throw malformedAnswer(this.access, `a line of more than ${LINE_MAX_BYTES} bytes`);
      if (whole.length > 0) yield whole.map((line) => this.#parse(line));
    }
    if (lines.unfinished) throw malformedAnswer(this.access, "a line that is cut short");
  }

  /** Undefined when it is longer than `maxBytes`. */
  async #body(response: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<string | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#chunks(response, BODY_SILENCE_MS, signal)) {
      bytes += chunk.length;
      if (bytes > maxBytes) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  /** The body in pieces. Leaving the loop early closes the connection. */
  async *#chunks(
    response: IncomingMessage,
    silenceMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    using watchdog = new Watchdog(this.#clock, silenceMs, () =>
      response.destroy(deadlineFailure(this.access, "nothing more came", silenceMs)),
    );
    try {
      for await (const chunk of response) {
        watchdog.feed();
        if (chunk instanceof Buffer) yield chunk;
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : dialFailure(this.access, error);
    }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw malformedAnswer(this.access, "something that is not JSON");
    }
  }

  /** A successful response whose body has not been read, when it is this request's turn. */
  #send(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#reach.attempt(signal, async () => {
      await this.#throttle.turn(signal);
      return this.#askAuthorized(request, signal);
    });
  }

  /** Refused credentials are renewed once. */
  async #askAuthorized(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const credentials = await this.access.credentials(signal);
    const first = await this.#exchange(request, credentials, signal);
    if (first.statusCode !== 401) return this.#accept(request, first, signal);
    this.access.forget(credentials);
    const renewed = await this.access.credentials(signal).catch((error: unknown) => {
      first.destroy(); // nobody will read it
      throw error;
    });
    if (renewed === credentials) return this.#accept(request, first, signal);
    first.destroy();
    return this.#accept(request, await this.#exchange(request, renewed, signal), signal);
  }

  #exchange(request: ApiRequest, credentials: Credentials, signal: AbortSignal): Promise<IncomingMessage> {
    const { access } = this;
    const agent = this.#agent(credentials);
    const { headers } = credentials;
    return exchange({ ...request, access, clock: this.#clock, agent, headers }, signal);
  }

  async #accept(
    request: ApiRequest,
    response: IncomingMessage,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status <= 202) return response;
    const body = (await this.#body(response, REFUSAL_MAX_BYTES, signal)) ?? "";
    throw answerFailure(this.access, status, body, request.call, response.headers["retry-after"]);
  }

  #agent(credentials: Credentials): KeptSockets {
    const { tls } = credentials;
    const { server, proxy } = this.access;
    const way = JSON.stringify([server.protocol, proxy]);
    const newest = this.#kept.at(-1);
    if (newest?.tls === tls && newest.way === way) return newest.agent;
    this.#kept = this.#kept.filter(({ agent }) => agent.retire());
    const agent = new KeptSockets(this.#connector, credentials);
    this.#kept.push({ tls, way, agent });
    return agent;
  }
}

interface Kept {
  readonly tls: Credentials["tls"];
  /** Scheme and proxy. */
  readonly way: string;
  readonly agent: KeptSockets;
}
