import type { ServerResponse } from "node:http";
import type { Change, Store } from "./store.ts";
import type { Resource } from "./resources.ts";
import { apiVersionOf } from "./resources.ts";
import type { Selection } from "./selectors.ts";
import { expired, type Status } from "./statuses.ts";
import type { Timers } from "./timers.ts";

/** What a watch request asks for. */
export interface WatchRequest {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly selected: Selection;
  /** Undefined or 0: start with what there is. */
  readonly version: number | undefined;
  readonly bookmarks: boolean;
  /** A bookmark tells when all that there was has been sent: `sendInitialEvents`. */
  readonly initialEnd: boolean;
  /** When the server ends it. */
  readonly timeoutMs: number;
}

/** How watches are broken. */
export type WatchDrop =
  /** In order, as at the end of its time. */
  | "end"
  /** By a TCP reset. */
  | "reset"
  /** In the middle of an event. */
  | "half line"
  /** It stays open and says nothing any more. */
  | "silence";

/** A watch that does not read its events is ended, as the API server does with one that falls behind. */
const BACKLOG_MAX_BYTES = 4 * 1024 * 1024;

/** Where to send events, and how long until the next bookmark. */
export interface WatchSurroundings {
  readonly store: Store;
  readonly timers: Timers;
  readonly bookmarkMs: number;
  /** Breaks the connection under the response with a TCP reset. */
  reset(response: ServerResponse): void;
}

/** One open watch; it ends with its response. */
export class Watch {
  readonly #request: WatchRequest;
  readonly #around: WatchSurroundings;
  readonly #response: ServerResponse;
  readonly #subscription: Disposable;
  #timer: Disposable | undefined;
  /** Once it is over nothing more is told, though the response may still be open. */
  #life: "open" | "over" = "open";

  /** Sends head and first events. `missed` are the changes after the version of the request. */
  constructor(
    request: WatchRequest,
    missed: readonly Change[],
    response: ServerResponse,
    around: WatchSurroundings,
  ) {
    this.#request = request;
    this.#around = around;
    this.#response = response;
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-cache, private" });
    response.flushHeaders();
    if (request.version) for (const change of missed) this.#tell(change);
    else for (const object of this.#present()) this.#send("ADDED", object);
    if (request.initialEnd) this.#bookmark({ annotations: { "k8s.io/initial-events-end": "true" } });
    this.#subscription = around.store.subscribe((change) => this.#tell(change));
    const ending = around.timers.after(request.timeoutMs, () => this.drop("end"));
    if (request.bookmarks) this.#bookmarkLater();
    response.once("close", () => {
      this.#subscription[Symbol.dispose]();
      this.#timer?.[Symbol.dispose]();
      ending[Symbol.dispose]();
    });
  }

  drop(how: WatchDrop): void {
    if (how === "end" && this.#request.bookmarks) this.#bookmark();
    this.#life = "over";
    switch (how) {
      case "end":
        this.#response.end();
        return;
      case "reset":
        this.#around.reset(this.#response);
        return;
      case "half line":
        this.#response.write('{"type":"MODIFIED","object":{"kind":', () => this.#response.destroy());
        return;
      case "silence":
    }
  }

  /** Tells that the version it stands at is gone, and ends. */
  expire(): void {
    const { version } = this.#around.store;
    this.#send("ERROR", expired(version, version));
    this.#life = "over";
    this.#response.end();
  }

  /** An object that comes to be selected is new to this watch, and one that ceases to be is deleted. */
  #tell({ resource, object, before, type }: Change): void {
    const { namespace, selected } = this.#request;
    if (resource !== this.#request.resource) return;
    if (namespace !== undefined && object.metadata.namespace !== namespace) return;
    const was = before !== undefined && selected(before);
    const is = type !== "DELETED" && selected(object);
    if (is) this.#send(was ? "MODIFIED" : "ADDED", object);
    else if (was) this.#send("DELETED", object);
  }

  #present(): readonly object[] {
    const { resource, namespace, selected } = this.#request;
    return this.#around.store.list(resource.kind, namespace).filter(selected);
  }

  #bookmarkLater(): void {
    this.#timer = this.#around.timers.after(this.#around.bookmarkMs, () => {
      this.#bookmark();
      this.#bookmarkLater();
    });
  }

  #bookmark(more: object = {}): void {
    const { resource } = this.#request;
    const metadata = {
      resourceVersion: String(this.#around.store.version),
      creationTimestamp: null,
      ...more,
    };
    this.#send("BOOKMARK", { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata });
  }

  #send(type: Change["type"] | "BOOKMARK" | "ERROR", object: object | Status): void {
    if (this.#life === "over" || this.#response.destroyed) return;
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
    if (this.#response.writableLength > BACKLOG_MAX_BYTES) this.#response.destroy();
  }
}
