import { once } from "node:events";
import { get, request, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await Sandbox.start({ scheme: "http", bookmarkMs: 5 });
});

afterEach(() => sandbox[Symbol.asyncDispose]());

interface Asking {
  readonly user?: string;
  readonly token?: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** Whatever the server said; tests look into it as they know it. */
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

interface Told {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Json;
}

async function ask(
  path: string,
  { user = "admin", token, method = "GET", body, headers }: Asking = {},
): Promise<Told> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const outgoing = request(`${sandbox.url}${path}`, {
    method,
    agent: false,
    headers: {
      authorization: `Bearer ${token ?? sandbox.token(user)}`,
      "content-length": Buffer.byteLength(text),
      ...headers,
    },
  });
  outgoing.end(text);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  let answer = "";
  for await (const chunk of response) answer += String(chunk);
  const json = response.headers["content-type"] === "application/json";
  return { status: response.statusCode, headers: response.headers, body: json ? JSON.parse(answer) : answer };
}

/** An open watch that keeps what it was told. */
class Watching {
  readonly events: {
    type: string;
    object: { metadata: { name?: string; resourceVersion?: string }; code?: number };
  }[] = [];
  ended: "" | "in order" | "broken" = "";
  partial = "";
  #look = (): void => {};

  constructor(response: IncomingMessage) {
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      const lines = (this.partial + text).split("\n");
      this.partial = lines.pop() ?? "";
      this.events.push(...lines.map((line) => JSON.parse(line) as Watching["events"][number]));
      this.#look();
    });
    response.on("end", () => (this.ended = "in order"));
    response.on("error", () => (this.ended = "broken"));
    response.on("close", () => this.#look());
  }

  static async open(path: string): Promise<Watching> {
    const headers = { authorization: `Bearer ${sandbox.token()}` };
    const asking = get(`${sandbox.url}${path}`, { agent: false, headers });
    asking.on("error", () => {}); // the sandbox is disposed with the watch open
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    return new Watching(response);
  }

  get told(): string[] {
    return this.events
      .filter(({ type }) => type !== "BOOKMARK")
      .map(({ type, object }) => `${type} ${object.metadata.name}`);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#look = resolve));
  }
}

describe("lists", () => {
  test("show objects of a namespace or of all, without kind, under the newest version", async () => {
    sandbox.cluster.createService("shop", { name: "api" });
    sandbox.cluster.createService("bank", { name: "vault" });
    const shop = await ask("/api/v1/namespaces/shop/services");
    expect(shop.body).toMatchObject({ kind: "ServiceList", apiVersion: "v1" });
    expect(shop.body.items.map((item: Record<string, unknown>) => Object.keys(item))).toEqual([
      ["metadata", "spec", "status"],
    ]);
    const all = await ask("/api/v1/services");
    expect(all.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
      "vault",
      "api",
    ]);
    expect(all.body.metadata.resourceVersion).toBe(all.body.items[0].metadata.resourceVersion);
  });

  test("come in pages that together are the whole", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) sandbox.cluster.createService("shop", { name });
    const names: string[] = [];
    const left: unknown[] = [];
    let next = "";
    do {
      const { body } = await ask(`/api/v1/namespaces/shop/services?limit=2&continue=${next}`);
      names.push(...body.items.map((item: { metadata: { name: string } }) => item.metadata.name));
      left.push(body.metadata.remainingItemCount);
      next = body.metadata.continue ?? "";
    } while (next !== "");
    expect(names).toEqual(["a", "b", "c", "d", "e"]);
    expect(left).toEqual([3, 1, undefined]);
  });

  test("refuse to go on with a page from before a compaction, or with nonsense", async () => {
    for (const name of ["a", "b"]) sandbox.cluster.createService("shop", { name });
    const { body } = await ask("/api/v1/services?limit=1");
    sandbox.compact();
    const path = `/api/v1/services?limit=1&continue=${body.metadata.continue}`;
    expect(await ask(path)).toMatchObject({
      status: 410,
      body: { kind: "Status", reason: "Expired", code: 410 },
    });
    expect((await ask("/api/v1/services?continue=nonsense")).status).toBe(400);
  });

  test("are narrowed by labels and names", async () => {
    sandbox.cluster.createPod("shop", { name: "a", labels: { tier: "web" } });
    sandbox.cluster.createPod("shop", { name: "b", labels: { tier: "db" } });
    const count = async (query: string) => (await ask(`/api/v1/pods?${query}`)).body.items.length;
    expect(await count("labelSelector=tier%20in%20(web)")).toBe(1);
    expect(await count("fieldSelector=metadata.name%3Db")).toBe(1);
    expect((await ask("/api/v1/pods?labelSelector=%28")).status).toBe(400);
  });
});

describe("single objects", () => {
  test("are shown whole", async () => {
    sandbox.cluster.createDeployment("shop", { name: "api" });
    const { body } = await ask("/apis/apps/v1/namespaces/shop/deployments/api");
    expect(body).toMatchObject({ kind: "Deployment", apiVersion: "apps/v1", metadata: { name: "api" } });
    expect((await ask("/api/v1/namespaces/shop")).body).toMatchObject({
      kind: "Namespace",
      status: { phase: "Active" },
    });
  });

  test("that are not there are not found, in the server's words", async () => {
    expect((await ask("/api/v1/namespaces/shop/pods/api-1")).body).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: 'pods "api-1" not found',
      reason: "NotFound",
      details: { name: "api-1", kind: "pods" },
      code: 404,
    });
    const other = await ask("/apis/apps/v1/namespaces/shop/deployments/x");
    expect(other.body).toMatchObject({
      message: 'deployments.apps "x" not found',
      details: { group: "apps" },
    });
  });

  test("are deleted, and only under the identity that was asked for", async () => {
    const { metadata } = sandbox.cluster.createPod("shop", { name: "a" });
    const path = "/api/v1/namespaces/shop/pods/a";
    const wrong = await ask(path, { method: "DELETE", body: { preconditions: { uid: "other" } } });
    expect(wrong).toMatchObject({ status: 409, body: { reason: "Conflict" } });
    const right = await ask(path, { method: "DELETE", body: { preconditions: { uid: metadata.uid } } });
    expect(right.body.metadata.deletionTimestamp).toBeDefined();
    await sandbox.until(() => sandbox.cluster.list("shop").length === 0);
    sandbox.cluster.createPod("shop", { name: "a" });
    await ask(`${path}?gracePeriodSeconds=0`, { method: "DELETE" });
    expect(sandbox.cluster.list("shop")).toEqual([]);
  });

  test("cannot be written but for whole pods", async () => {
    expect((await ask("/api/v1/namespaces/shop/pods", { method: "POST", body: {} })).status).toBe(400);
    expect((await ask("/api/v1/namespaces/shop/services", { method: "POST", body: {} })).status).toBe(405);
    for (const method of ["PUT", "PATCH"]) {
      expect((await ask("/api/v1/namespaces/shop/pods", { method, body: {} })).status).toBe(405);
    }
  });
});

describe("a watch", () => {
  test("from a list's version tells what came after it and nothing twice", async () => {
    sandbox.cluster.createService("shop", { name: "old" });
    const { body } = await ask("/api/v1/namespaces/shop/services");
    sandbox.cluster.createService("shop", { name: "new" });
    const path = `/api/v1/namespaces/shop/services?watch=1&resourceVersion=${body.metadata.resourceVersion}`;
    const watch = await Watching.open(path);
    sandbox.cluster.updateService("shop", { name: "old" });
    sandbox.cluster.createService("bank", { name: "elsewhere" });
    sandbox.cluster.deleteService("shop", "new");
    await watch.until(() => watch.told.length >= 3);
    expect(watch.told).toEqual(["ADDED new", "MODIFIED old", "DELETED new"]);
  });

  test("without a version begins with what there is", async () => {
    sandbox.cluster.createService("shop", { name: "api" });
    const watch = await Watching.open("/api/v1/services?watch=true");
    await watch.until(() => watch.told.length === 1);
    expect(watch.told).toEqual(["ADDED api"]);
  });

  test("of a selection tells an object that leaves it as deleted, and one that comes into it as added", async () => {
    const watch = await Watching.open("/api/v1/pods?watch=1&fieldSelector=status.phase%3DRunning");
    sandbox.cluster.createPod("shop", { name: "p" });
    await watch.until(() => watch.told.length === 1);
    sandbox.pods.delete("shop", "p", { force: true });
    await watch.until(() => watch.told.length === 2);
    expect(watch.told).toEqual(["ADDED p", "DELETED p"]);
  });

  test("sends bookmarks when asked, with the newest version, and one at its end", async () => {
    const watch = await Watching.open(
      "/api/v1/services?watch=1&allowWatchBookmarks=true&timeoutSeconds=0.05",
    );
    sandbox.cluster.createService("shop", { name: "api" });
    const version = sandbox.cluster.createService("shop", { name: "db" }).metadata.resourceVersion;
    await watch.until(() => watch.ended !== "");
    expect(watch.events.filter(({ type }) => type === "BOOKMARK").length).toBeGreaterThan(2);
    expect(watch.events.at(-1)).toMatchObject({
      type: "BOOKMARK",
      object: { kind: "Service", metadata: { resourceVersion: version } },
    });
    expect(watch.ended).toBe("in order");
  });

  test("sends none when not asked", async () => {
    const watch = await Watching.open("/api/v1/services?watch=1&timeoutSeconds=0.03");
    await watch.until(() => watch.ended !== "");
    expect(watch.events).toEqual([]);
  });

  test("with initial events marks their end", async () => {
    sandbox.cluster.createService("shop", { name: "api" });
    const watch = await Watching.open(
      "/api/v1/services?watch=1&allowWatchBookmarks=true&sendInitialEvents=true",
    );
    await watch.until(() => watch.events.length >= 2);
    expect(watch.events[1]).toMatchObject({
      type: "BOOKMARK",
      object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
  });

  test("from a forgotten version is refused in the stream, or by its status", async () => {
    const { body } = await ask("/api/v1/services");
    sandbox.compact();
    const path = `/api/v1/services?watch=1&resourceVersion=${body.metadata.resourceVersion}`;
    const watch = await Watching.open(path);
    await watch.until(() => watch.ended !== "");
    expect(watch.events).toMatchObject([
      { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } },
    ]);
    sandbox.faults.expiredWatch = "status";
    expect(await ask(path)).toMatchObject({ status: 410, body: { reason: "Expired" } });
  });

  test("that stands can be told that its version is gone", async () => {
    const watch = await Watching.open("/api/v1/services?watch=1");
    sandbox.compact({ tellWatches: true });
    await watch.until(() => watch.ended !== "");
    expect(watch.events).toMatchObject([{ type: "ERROR", object: { code: 410 } }]);
  });

  test.each([
    ["end", "in order", ""],
    ["reset", "broken", ""],
    ["half line", "broken", '{"type":"MODIFIED","object":{"kind":'],
  ] as const)("is dropped by %j", async (how, ended, partial) => {
    const watch = await Watching.open("/api/v1/services?watch=1");
    sandbox.dropWatches(how);
    await watch.until(() => watch.ended !== "");
    expect([watch.ended, watch.partial]).toEqual([ended, partial]);
    await sandbox.until(() => sandbox.open.watches === 0);
  });

  test.each(["end", "reset", "half line"] as const)(
    "dropped by %j hears nothing of what comes after",
    async (how) => {
      const watch = await Watching.open("/api/v1/services?watch=1");
      sandbox.dropWatches(how);
      sandbox.cluster.createService("shop", { name: "late" });
      await watch.until(() => watch.ended !== "");
      expect(watch.told).toEqual([]);
    },
  );

  test("that fell silent stays open and tells nothing, and a new one does", async () => {
    const silent = await Watching.open("/api/v1/services?watch=1&allowWatchBookmarks=true");
    sandbox.dropWatches("silence");
    const before = silent.events.length;
    const watch = await Watching.open("/api/v1/services?watch=1&allowWatchBookmarks=true");
    sandbox.cluster.createService("shop", { name: "api" });
    await watch.until(() => watch.told.length === 1);
    expect(silent.events.length).toBe(before);
    expect(sandbox.open.watches).toBe(2);
  });
});

describe("users", () => {
  test("without rights are told which right is missing, in the server's words", async () => {
    const said = async (path: string, method = "GET") => (await ask(path, { user: "nobody", method })).body;
    expect(await said("/api/v1/namespaces/shop/pods")).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message:
        'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "shop"',
      reason: "Forbidden",
      details: { kind: "pods" },
      code: 403,
    });
    expect((await said("/api/v1/pods?watch=1")).message).toBe(
      'pods is forbidden: User "nobody" cannot watch resource "pods" in API group "" at the cluster scope',
    );
    expect((await said("/apis/apps/v1/namespaces/shop/deployments/api")).message).toBe(
      'deployments.apps "api" is forbidden: User "nobody" cannot get resource "deployments" in API group "apps" in the namespace "shop"',
    );
    expect((await said("/api/v1/namespaces/shop/pods/a/portforward", "POST")).message).toBe(
      'pods "a" is forbidden: User "nobody" cannot create resource "pods/portforward" in API group "" in the namespace "shop"',
    );
  });

  test("may do what their rules say", async () => {
    sandbox.setUser("dev", [{ verbs: ["list"], resources: ["pods"], namespaces: ["shop"] }]);
    expect((await ask("/api/v1/namespaces/shop/pods", { user: "dev" })).status).toBe(200);
    expect((await ask("/api/v1/namespaces/bank/pods", { user: "dev" })).status).toBe(403);
  });

  test("with an unknown or renewed token are unauthorized", async () => {
    const token = sandbox.token("admin");
    expect((await ask("/api/v1/pods", { token: "wrong" })).body).toMatchObject({
      reason: "Unauthorized",
      code: 401,
    });
    sandbox.renewToken("admin");
    expect((await ask("/api/v1/pods", { token })).status).toBe(401);
    expect((await ask("/api/v1/pods")).status).toBe(200);
  });

  test("can ask what they may do", async () => {
    const may = async (user: string, verb: string) => {
      const resourceAttributes = { verb, resource: "pods", subresource: "portforward", namespace: "shop" };
      const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
      return (await ask(path, { user, method: "POST", body: { spec: { resourceAttributes } } })).body.status;
    };
    sandbox.setUser("dev", [{ verbs: ["create"], resources: ["pods/portforward"] }]);
    expect(await may("dev", "create")).toEqual({ allowed: true });
    expect(await may("dev", "get")).toEqual({ allowed: false });
  });
});

describe("faults", () => {
  test("answer in place of the server, as often and for whom they say", async () => {
    sandbox.faults.answers = {
      status: 429,
      retryAfterS: 2,
      times: 2,
      only: ({ resource }) => resource === "pods",
    };
    const answers = [
      await ask("/api/v1/services"),
      await ask("/api/v1/pods"),
      await ask("/api/v1/pods"),
      await ask("/api/v1/pods"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 429, 429, 200]);
    expect(answers[1]).toMatchObject({
      headers: { "retry-after": "2" },
      body: { kind: "Status", reason: "TooManyRequests" },
    });
  });

  test("answer as a proxy does, and are mended", async () => {
    sandbox.faults.answers = { status: 503, body: "<html>try later</html>" };
    expect(await ask("/api/v1/pods")).toMatchObject({ status: 503, body: "<html>try later</html>" });
    sandbox.faults.clear();
    expect((await ask("/api/v1/pods")).status).toBe(200);
  });
});

describe("discovery", () => {
  test.each([
    ["/version", { gitVersion: expect.stringMatching(/^v1\./) }],
    ["/api", { versions: ["v1"] }],
    ["/apis", { groups: [{ name: "apps" }, { name: "batch" }, { name: "discovery.k8s.io" }] }],
    ["/apis/apps", { kind: "APIGroup", name: "apps" }],
    ["/apis/batch/v1", { resources: [{ name: "jobs", kind: "Job", namespaced: true }] }],
  ])("answers %s", async (path, body) => {
    expect(await ask(path)).toMatchObject({ status: 200, body });
  });

  test("names the resource of port-forwards", async () => {
    const { body } = await ask("/api/v1");
    expect(body.resources.map(({ name }: { name: string }) => name)).toEqual([
      "namespaces",
      "pods",
      "services",
      "pods/portforward",
    ]);
  });

  test("does not know other paths and resources", async () => {
    expect(await ask("/nonsense")).toMatchObject({ status: 404, body: "404 page not found\n" });
    expect((await ask("/api/v1/namespaces/shop/secrets")).body).toMatchObject({
      message: "the server could not find the requested resource",
    });
    expect((await ask("/readyz")).body).toBe("ok");
  });
});

test("every request is logged with what it asks for, by whom and by which program", async () => {
  sandbox.requests.clear();
  await ask("/api/v1/namespaces/shop/pods?limit=1", { headers: { "user-agent": "kfwd/1" } });
  await ask("/api/v1/namespaces/shop/pods/a", { user: "nobody" });
  await ask("/version", { token: "wrong" });
  expect(sandbox.requests.all).toMatchObject([
    {
      method: "GET",
      path: "/api/v1/namespaces/shop/pods?limit=1",
      verb: "list",
      resource: "pods",
      namespace: "shop",
      user: "admin",
      userAgent: "kfwd/1",
    },
    { verb: "get", resource: "pods", name: "a", user: "nobody" },
    { path: "/version", verb: undefined, user: undefined },
  ]);
  expect(sandbox.requests.count({ resource: "pods" })).toBe(2);
  expect(sandbox.requests.count({ resource: "pods", verb: "list" })).toBe(1);
});
