import type { ApiCall } from "./apicall.ts";

/** One request, as it came in. Fields of a call are undefined where the path names no resource. */
export interface RequestRecord {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly method: string;
  /** Without the sandbox's path prefix, with the query. */
  readonly path: string;
  readonly verb: ApiCall["verb"] | undefined;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** Undefined when the token is nobody's. */
  readonly user: string | undefined;
  readonly userAgent: string | undefined;
  /** The Upgrade header. */
  readonly upgrade: string | undefined;
  /** The Sec-WebSocket-Protocol header. */
  readonly subprotocols: string | undefined;
}

const LOG_MAX_RECORDS = 10_000;

/** The latest requests, in order. */
export class RequestLog {
  readonly #records: RequestRecord[] = [];
  #dropped = 0;

  /** Oldest first, at most 10 000. */
  get all(): readonly RequestRecord[] {
    return this.#records;
  }

  /** Older records that are no longer kept. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many kept records have these fields. */
  count(fields: Partial<RequestRecord> = {}): number {
    const wanted = Object.entries(fields);
    return this.#records.filter((record) => {
      const have = new Map<string, unknown>(Object.entries(record));
      return wanted.every(([key, value]) => have.get(key) === value);
    }).length;
  }

  add(record: RequestRecord): void {
    this.#records.push(record);
    if (this.#records.length <= LOG_MAX_RECORDS) return;
    this.#records.shift();
    this.#dropped++;
  }

  /** Starts anew. */
  clear(): void {
    this.#records.length = 0;
    this.#dropped = 0;
  }
}
