import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod/mini";
import { send, type Answer } from "./answers.ts";
import type { ApiCall } from "./apicall.ts";
import type { Faults } from "./faults.ts";
import type { KubeObject } from "./objects.ts";
import type { NewPod, Program } from "./pods.ts";
import { readPostedPod } from "./postedpod.ts";
import { readJsonBody } from "./requestbody.ts";
import { apiVersionOf, findResource, type Resource } from "./resources.ts";
import { parseSelection } from "./selectors.ts";
import {
  badRequest,
  conflict,
  expired,
  methodNotAllowed,
  noSuchResource,
  notAdmitted,
  notFound,
  type Status,
} from "./statuses.ts";
import { keyOf, type Store } from "./store.ts";
import type { Timers } from "./timers.ts";
import { Watch, type WatchDrop, type WatchSurroundings } from "./watch.ts";

/** What the resource API stands on. */
export interface ResourceApiSurroundings extends WatchSurroundings {
  readonly store: Store;
  readonly timers: Timers;
  readonly faults: Faults;
  /** Deletes an object as its controllers would have it. */
  remove(object: KubeObject, how: { readonly graceMs?: number; readonly force?: boolean }): void;
  /** Runs a pod that was posted. */
  run(pod: NewPod, program: Program): KubeObject;
  /** A watch was opened or closed. */
  onChange(): void;
}

/** How long a watch lives that does not say; the real server draws from 30 to 60 minutes. */
const WATCH_DEFAULT_S = 30 * 60;

const DeleteOptions = z.object({
  gracePeriodSeconds: z.nullish(z.number()),
  preconditions: z.nullish(z.object({ uid: z.nullish(z.string()) })),
});

const ContinueToken = z.object({ version: z.number(), after: z.string() });

/** Lists, reads, watches and deletes objects, and makes pods, for those who may. */
export class ResourceApi {
  readonly #around: ResourceApiSurroundings;
  readonly #watches = new Set<Watch>();

  constructor(around: ResourceApiSurroundings) {
    this.#around = around;
  }

  /** Open watches. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Breaks all open watches. */
  dropWatches(how: WatchDrop): void {
    for (const watch of this.#watches) watch.drop(how);
  }

  /** Tells all open watches that their version is gone. */
  expireWatches(): void {
    for (const watch of this.#watches) watch.expire();
  }

  /** Answers a call on resources. */
  async serve(call: ApiCall, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const resource = findResource(call.group, call.version, call.resource);
    if (resource === undefined || call.subresource !== undefined) {
      send(response, refuse(noSuchResource()));
      return;
    }
    switch (call.verb) {
      case "watch":
        this.#watch(resource, call, response);
        return;
      case "list":
        send(response, this.#list(resource, call));
        return;
      case "get": {
        const object = this.#find(resource, call);
        send(response, object === undefined ? refuse(notFound(call)) : { status: 200, body: object });
        return;
      }
      case "delete":
        send(response, this.#delete(resource, call, await readJsonBody(request)));
        return;
      case "create":
        send(response, this.#create(resource, call, await readJsonBody(request)));
        return;
      case "update":
      case "patch":
      case "deletecollection":
        send(response, refuse(methodNotAllowed()));
    }
  }

  #find(resource: Resource, { namespace, name = "" }: ApiCall): KubeObject | undefined {
    return this.#around.store.get(resource.kind, resource.namespaced ? (namespace ?? "") : undefined, name);
  }

  /**
   * Pages show what there is when they are asked for, not a snapshot; a page after a compaction is refused, as the
   * real server does with one that is too old.
   */
  #list(resource: Resource, { namespace, query }: ApiCall): Answer {
    const selected = parseSelection(query);
    if (typeof selected !== "function") return refuse(badRequest(selected.message));
    const { store } = this.#around;
    const token = query.get("continue") || undefined;
    const page = token === undefined ? { version: store.version, after: "" } : decodeToken(token);
    if (page === undefined) return refuse(badRequest("invalid continue token"));
    if (store.since(page.version) === undefined) return refuse(expired(page.version, store.version));

    const scope = resource.namespaced ? namespace : undefined;
    const all = store.list(resource.kind, scope).filter(selected);
    const rest = all.filter((object) => objectKey(object) > page.after);
    const limit = Number(query.get("limit") ?? 0) || rest.length;
    const items = rest.slice(0, limit);
    const last = items.at(-1);
    const more =
      last === undefined || rest.length <= limit
        ? {}
        : {
            continue: encodeToken({ version: page.version, after: objectKey(last) }),
            remainingItemCount: rest.length - limit,
          };
    const body = {
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata: { resourceVersion: String(page.version), ...more },
      items: items.map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item), // as in every real list
    };
    return { status: 200, body };
  }

  #watch(resource: Resource, { namespace, query }: ApiCall, response: ServerResponse): void {
    const { store, faults } = this.#around;
    const selected = parseSelection(query);
    if (typeof selected !== "function") {
      send(response, refuse(badRequest(selected.message)));
      return;
    }
    const wantsAll = query.get("sendInitialEvents") === "true";
    const version = wantsAll ? undefined : Number(query.get("resourceVersion") ?? 0) || undefined;
    const missed = version === undefined ? [] : store.since(version);
    if (missed === undefined && faults.expiredWatch === "status") {
      send(response, refuse(expired(version ?? 0, store.version)));
      return;
    }
    const watch = new Watch(
      {
        resource,
        namespace: resource.namespaced ? namespace : undefined,
        selected,
        version,
        bookmarks: query.get("allowWatchBookmarks") === "true",
        initialEnd: wantsAll,
        timeoutMs: (Number(query.get("timeoutSeconds") ?? 0) || WATCH_DEFAULT_S) * 1000,
      },
      missed ?? [],
      response,
      this.#around,
    );
    this.#watches.add(watch);
    this.#around.onChange();
    response.once("close", () => {
      this.#watches.delete(watch);
      this.#around.onChange();
    });
    if (missed === undefined) watch.expire();
  }

  #create(resource: Resource, call: ApiCall, body: unknown): Answer {
    if (resource.kind !== "Pod" || call.namespace === undefined) return refuse(methodNotAllowed());
    const posted = readPostedPod(body, call.namespace);
    if (posted === undefined) return refuse(badRequest("cannot read the Pod"));
    const { admission, pull } = this.#around.faults;
    if (admission !== undefined) return refuse(notAdmitted(call, posted.pod.name, admission));
    const program = pull === undefined ? posted.program : { ...posted.program, pull };
    return { status: 201, body: this.#around.run(posted.pod, program) };
  }

  #delete(resource: Resource, call: ApiCall, body: unknown): Answer {
    const object = this.#find(resource, call);
    if (object === undefined) return refuse(notFound(call));
    const options = DeleteOptions.safeParse(body ?? {});
    if (!options.success) return refuse(badRequest("cannot read the DeleteOptions"));
    const { preconditions, gracePeriodSeconds } = options.data;
    const asked = call.query.get("gracePeriodSeconds");
    const graceS = gracePeriodSeconds ?? (asked === null ? undefined : Number(asked));
    const uid = preconditions?.uid;
    if (uid && uid !== object.metadata.uid) {
      const message = `the UID in the precondition (${uid}) does not match the UID in record (${object.metadata.uid})`;
      return refuse(conflict(call, message));
    }
    this.#around.remove(
      object,
      graceS === undefined ? {} : graceS === 0 ? { force: true } : { graceMs: graceS * 1000 },
    );
    return { status: 200, body: this.#find(resource, call) ?? object };
  }
}

function refuse(status: Status): Answer {
  return { status: status.code, body: status };
}

function objectKey({ metadata }: KubeObject): string {
  return keyOf(metadata.namespace, metadata.name);
}

function encodeToken(token: z.infer<typeof ContinueToken>): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function decodeToken(text: string): z.infer<typeof ContinueToken> | undefined {
  try {
    return ContinueToken.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
  } catch {
    return undefined;
  }
}
