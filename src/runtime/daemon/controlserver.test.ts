import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { never, realDeps, recordOf, serveControl, tempFolder } from "../../../test/fakes/lockfolder.ts";
import { idleControl, silentLog } from "../../../test/puppets/idlecontrol.ts";
import { KfwdError } from "../../errors.ts";
import type { StatusReport, SupervisorEvent } from "../core/status.ts";
import type { Client, ServedControl } from "../deps.ts";
import { connectControl, type ControlClient } from "./controlclient.ts";
import type { ControlServer } from "./controlserver.ts";
import type { ServeDeps } from "./controlpeer.ts";
import { newInstance, prove } from "./proof.ts";

const report: StatusReport = {
  schema: "kfwd.status/1",
  project: "shop",
  supervisor: { pid: 7, mode: "detached", version: "1.2.3", startedAt: "x", log: "/l" },
  config: { path: null, sha256: "" },
  entries: [],
};

interface Rig {
  readonly server: ControlServer;
  readonly path: string;
  readonly instance: string;
  client(): Promise<ControlClient>;
  raw(): Promise<Raw>;
}

/** A connection that says what a test wants. */
interface Raw {
  readonly socket: Socket;
  /** Sends a line as it is. */
  say(line: string): void;
  /** The next line, parsed; undefined when the connection ends instead. */
  hear(): Promise<unknown>;
  greet(): Promise<unknown>;
}

async function rig(control: Partial<ServedControl> = {}, over: Partial<ServeDeps> = {}): Promise<Rig> {
  const path = join(tempFolder(), "0a1b2c3d.sock");
  const instance = newInstance();
  const deps = { ...realDeps, instance, control: { ...idleControl, ...control }, log: silentLog, ...over };
  const server = await serveControl(deps, path);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const client = async (): Promise<ControlClient> => {
    const made = await connectControl(realDeps, recordOf({ socket: path, instance }), {
      timeoutMs: 5_000,
      signal: never,
    });
    onTestFinished(() => made[Symbol.asyncDispose]());
    return made;
  };
  return { server, path, instance, client, raw: () => rawTo(path, instance) };
}

async function rawTo(path: string, instance: string): Promise<Raw> {
  const socket = connect(path);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const hear = async (): Promise<unknown> => {
    while (!text.includes("\n")) {
      if (socket.destroyed) return undefined;
      await Promise.race([once(socket, "data").catch(() => {}), closed]);
    }
    const [line = "", ...rest] = text.split("\n");
    text = rest.join("\n");
    return JSON.parse(line);
  };
  const say = (line: string): void => void socket.write(`${line}\n`);
  const greet = (): Promise<unknown> => {
    say(JSON.stringify({ id: 0, method: "hello", params: hello(instance) }));
    return hear();
  };
  return { socket, say, hear, greet };
}

function hello(instance: string) {
  const challenge = "0123456789abcdef";
  return {
    protocol: { min: 1, max: 1 },
    version: "1",
    challenge,
    proof: prove(instance, "client", challenge),
  };
}

describe("the socket", () => {
  test("is for us alone, and leaves the process's mask as it was", async () => {
    const before = process.umask();
    const { path } = await rig();
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(before);
  });

  test("is the only file made, and goes with the server", async () => {
    const { path, server } = await rig();
    expect(readdirSync(dirname(path))).toEqual(["0a1b2c3d.sock"]);
    await server[Symbol.asyncDispose]();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test("of another is not removed by the end of a server whose place it took", async () => {
    const { path, server } = await rig();
    unlinkSync(path);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    onTestFinished(() => void other.close());
    await server[Symbol.asyncDispose]();
    expect(existsSync(path)).toBe(true);
  });

  test("at a path that would be cut is refused", async () => {
    const path = join(tempFolder(), `${"x".repeat(100)}.sock`);
    const failing = serveControl({ ...realDeps, instance: newInstance(), control: idleControl }, path);
    await expect(failing).rejects.toMatchObject({ code: "RUNTIME_FOLDER" });
    await expect(failing).rejects.toThrow("longer than 103 bytes");
  });

  test("in a folder that is gone, as the last owner leaves it, is made with its folder", async () => {
    const path = join(tempFolder(), "gone", "0a1b2c3d.sock");
    const deps = { ...realDeps, instance: newInstance(), control: idleControl };
    const server = await serveControl(deps, path);
    onTestFinished(() => server[Symbol.asyncDispose]());
    expect(lstatSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  test("in a folder that others may use is refused", async () => {
    const folder = tempFolder();
    chmodSync(folder, 0o777);
    const deps = { ...realDeps, instance: newInstance(), control: idleControl };
    await expect(serveControl(deps, join(folder, "0a1b2c3d.sock"))).rejects.toMatchObject({
      code: "RUNTIME_FOLDER",
      hint: `chmod 700 ${folder}`,
    });
  });
});

describe("the socket's check", () => {
  test("touches what is there", async () => {
    const { path, server } = await rig();
    utimesSync(path, 1, 1);
    expect(await server.check()).toEqual({ kind: "held" });
    expect(lstatSync(path).mtimeMs).toBeGreaterThan(1_000_000);
  });

  test.each([
    { name: "removed", spoil: (path: string) => unlinkSync(path) },
    { name: "removed with its folder", spoil: (path: string) => rmSync(dirname(path), { recursive: true }) },
    { name: "replaced", spoil: (path: string) => (unlinkSync(path), writeFileSync(path, "")) },
  ])("listens anew when it was $name, and old clients stay", async ({ spoil }) => {
    const { path, server, client } = await rig();
    const old = await client();
    spoil(path);
    expect(await server.check()).toEqual({ kind: "restored" });
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    await (await client()).ping();
    await old.ping();
    expect(await server.check()).toEqual({ kind: "held" });
  });

  test("says when it cannot listen anew, and tries again", async () => {
    const { path, server } = await rig();
    rmSync(dirname(path), { recursive: true });
    writeFileSync(dirname(path), "");
    expect(await server.check()).toMatchObject({
      kind: "lost",
      why: expect.stringContaining("not a folder"),
    });
    rmSync(dirname(path));
    expect(await server.check()).toEqual({ kind: "restored" });
  });
});

describe("a client", () => {
  test("drives the supervisor by the same calls", async () => {
    const asked: unknown[] = [];
    const { client } = await rig({
      status: () => Promise.resolve(report),
      stop: (request) => (asked.push(request), Promise.resolve({ stopped: ["api"] })),
      apply: (request) => (
        asked.push(request),
        Promise.resolve({ changes: [{ name: "api", action: "start" as const }] })
      ),
      plan: (request) => (
        asked.push(["plan", request]),
        Promise.resolve({ changes: [{ name: "api", action: "keep" as const }] })
      ),
      halt: (request) => (asked.push(["halt", request]), Promise.resolve({ names: ["db"] })),
      start: (request) => (asked.push(["start", request]), Promise.resolve({ names: [] })),
      restart: (request) => (asked.push(["restart", request]), Promise.resolve({ names: ["api"] })),
    });
    const it = await client();
    expect(it.hello).toMatchObject({ version: "1.2.3", pid: process.pid, protocol: { min: 1, max: 1 } });
    await it.ping();
    expect(await it.status()).toEqual(report);
    expect(await it.stop({ names: ["api"], drainMs: 5 })).toEqual({ stopped: ["api"] });
    const request = { project: "shop", config: report.config, forwards: [], names: null };
    expect(await it.apply(request)).toEqual({ changes: [{ name: "api", action: "start" }] });
    const anew = { ...request, recreate: "all" } as const;
    expect(await it.plan(request)).toEqual({ changes: [{ name: "api", action: "keep" }] });
    await it.apply(anew);
    expect(await it.halt({ names: ["db"], drainMs: 5 })).toEqual({ names: ["db"] });
    expect(await it.start({ names: ["db"] })).toEqual({ names: [] });
    expect(await it.restart({ names: null })).toEqual({ names: ["api"] });
    expect(asked).toEqual([
      { names: ["api"], drainMs: 5 },
      request,
      ["plan", request],
      ["plan", anew], // first: an earlier version does not know it, and does nothing
      anew,
      ["halt", { names: ["db"], drainMs: 5 }],
      ["start", { names: ["db"] }],
      ["restart", { names: null }],
    ]);
  });

  test("hears in the greeting that the supervisor is being stopped, and for how long at most", async () => {
    const { client } = await rig();
    expect((await client()).hello).not.toHaveProperty("drainLeftMs");
    const ending = await rig({ drainLeftMs: 4_200 });
    expect((await ending.client()).hello).toMatchObject({ drainLeftMs: 4_200 });
  });

  test("gets the supervisor's own error", async () => {
    const { client } = await rig({
      stop: () => Promise.reject(new KfwdError("UNKNOWN_FORWARD", 'no forward "x"', { hint: "kfwd status" })),
    });
    const error = await (
      await client()
    )
      .stop({ names: ["x"], drainMs: 0 })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNKNOWN_FORWARD", message: 'no forward "x"', hint: "kfwd status" });
  });

  test("follows events from the first on, until it has enough", async () => {
    let tell: (event: SupervisorEvent) => void = () => {};
    let stopped = 0;
    const { client } = await rig({
      follow: (listener) => {
        tell = listener;
        listener({ type: "removed", name: "first" });
        return Promise.resolve({ [Symbol.asyncDispose]: async () => void stopped++ });
      },
    });
    const it = await client();
    const seen: SupervisorEvent[] = [];
    const following = await it.follow((event) => seen.push(event));
    tell({ type: "removed", name: "second" });
    await it.ping();
    await following[Symbol.asyncDispose]();
    expect(stopped).toBe(1);
    tell({ type: "removed", name: "third" });
    await it.ping();
    expect(seen).toEqual([
      { type: "removed", name: "first" },
      { type: "removed", name: "second" },
    ]);
  });

  test("that leaves stops following", async () => {
    const ended = deferred<void>();
    const { client } = await rig({
      follow: () => Promise.resolve({ [Symbol.asyncDispose]: async () => ended.resolve() }),
    });
    const it = await client();
    await it.follow(() => {});
    await it[Symbol.asyncDispose]();
    await ended.promise;
  });

  test("claims by its connection, whose end the supervisor sees however it comes", async () => {
    const request = { project: "shop", config: report.config, forwards: [], names: ["api"] };
    const seen: (Client | undefined)[] = [];
    const { client, raw } = await rig({
      apply: async (_request, who) => {
        seen.push(who);
        return { changes: [] };
      },
      release: async ({ names }, who) => {
        seen.push(who);
        return { stopped: names ?? ["all"] };
      },
    });
    const polite = await client();
    await polite.apply({ ...request, owner: "client" });
    expect(await polite.release({ names: null })).toEqual({ stopped: ["all"] });
    expect(await polite.release({ names: ["api"] })).toEqual({ stopped: ["api"] });
    expect(seen.map((who) => who?.pid)).toEqual([process.pid, process.pid, process.pid]);
    expect(new Set(seen).size).toBe(1);

    const rude = await raw();
    await rude.greet();
    rude.say(JSON.stringify({ id: 1, method: "apply", params: { ...request, owner: "client" } }));
    await rude.hear();
    const last = seen.at(-1);
    expect(last).toMatchObject({ pid: null, closed: { aborted: false } });
    const gone = new Promise<void>((resolve) =>
      last?.closed.addEventListener("abort", () => resolve(), { once: true }),
    );
    rude.socket.destroy();
    await gone;
    expect(seen[0]?.closed.aborted).toBe(false);
  });

  test("learns that the connection dropped while it waited", async () => {
    const { client, server } = await rig({ stop: () => new Promise(() => {}) });
    const it = await client();
    const stopping = expect(it.stop({ names: null, drainMs: 0 })).rejects.toMatchObject({
      code: "UNRESPONSIVE",
      message: 'the supervisor closed the connection before it answered "stop"',
    });
    await server[Symbol.asyncDispose]();
    await stopping;
    expect(it.closed.aborted).toBe(true);
    await expect(it.ping()).rejects.toMatchObject({ code: "UNRESPONSIVE" });
  });

  test("whose signal is aborted ends with its reason", async () => {
    const { path, instance } = await rig({ stop: () => new Promise(() => {}) });
    const controller = new AbortController();
    const record = recordOf({ socket: path, instance });
    const it = await connectControl(realDeps, record, { timeoutMs: 5_000, signal: controller.signal });
    const stopping = it.stop({ names: null, drainMs: 0 });
    controller.abort(new Error("enough"));
    await expect(stopping).rejects.toThrow("enough");
  });

  test("does not wait for ever on a supervisor that hangs", async () => {
    const { path, instance } = await rig({ status: () => new Promise(() => {}) });
    const clock = new FakeClock();
    const record = recordOf({ socket: path, instance });
    const it = await connectControl({ ...realDeps, clock }, record, { timeoutMs: 5_000, signal: never });
    onTestFinished(() => it[Symbol.asyncDispose]());
    const asking = it.status();
    await Promise.all([expect(asking).rejects.toMatchObject({ code: "UNRESPONSIVE" }), clock.advance(5_000)]);
  });

  test.each([
    { name: "nothing is there", make: async () => {}, code: "NOT_RUNNING" },
    { name: "a socket is there that nobody listens at", make: desert, code: "NOT_RUNNING" },
    { name: "a file is there", make: async (path: string) => writeFileSync(path, ""), code: "NOT_RUNNING" },
  ])("is told when $name", async ({ make, code }) => {
    const path = join(tempFolder(), "x.sock");
    await make(path);
    const connecting = connectControl(realDeps, recordOf({ socket: path }), {
      timeoutMs: 5_000,
      signal: never,
    });
    await expect(connecting).rejects.toMatchObject({ code });
  });

  test("waits for a plan as long as for an apply: both have their turn behind one that asks for a login", async () => {
    const clock = new FakeClock();
    let begun = (): void => {};
    const asked = new Promise<void>((resolve) => (begun = resolve));
    let end = (): void => {};
    const turn = new Promise<void>((resolve) => (end = resolve));
    const changes = [{ name: "api", action: "replace" as const }];
    const { path, instance } = await rig({
      plan: () => (begun(), turn.then(() => ({ changes }))),
      apply: () => Promise.resolve({ changes }),
    });
    const record = recordOf({ socket: path, instance });
    const client = await connectControl({ ...realDeps, clock }, record, { timeoutMs: 5_000, signal: never });
    onTestFinished(() => client[Symbol.asyncDispose]());
    const request = { project: "shop", config: report.config, forwards: [], names: null };
    const applied = client.apply({ ...request, recreate: "all" });
    applied.catch(() => {}); // looked at below
    await asked;
    await clock.advance(60_000);
    end();
    expect(await applied).toEqual({ changes });
  });
});

/** A socket whose listener is gone. */
async function desert(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
  renameSync(`${path}.bound`, path);
  await new Promise((resolve) => server.close(resolve));
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

describe("an impostor", () => {
  async function impostor(
    answer: (line: string) => string | undefined,
  ): Promise<{ path: string; heard: string[] }> {
    const path = join(tempFolder(), "x.sock");
    const heard: string[] = [];
    const server = createServer((socket) => {
      socket.on("data", (chunk: Buffer) => {
        heard.push(chunk.toString());
        const said = answer(chunk.toString());
        if (said === undefined) socket.destroy();
        else socket.write(said);
      });
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    return { path, heard };
  }
  const claims = { protocol: { min: 1, max: 1 }, version: "1.2.3", pid: 7 };

  test.each([
    {
      name: "sends a proof of its own making",
      answer: () => `${JSON.stringify({ id: 1, result: { ...claims, proof: "ab".repeat(32) } })}\n`,
    },
    {
      name: "sends the client's proof back",
      answer: (line: string) => {
        const { params } = JSON.parse(line) as { params: { proof: string } };
        return `${JSON.stringify({ id: 1, result: { ...claims, proof: params.proof } })}\n`;
      },
    },
    { name: "sends no proof", answer: () => `${JSON.stringify({ id: 1, result: claims })}\n` },
    { name: "sends an error", answer: () => '{"id":1,"error":{"code":"KFWD_X","message":"no"}}\n' },
  ])("that $name is found out, and never learns the nonce", async ({ answer }) => {
    const { path, heard } = await impostor(answer);
    const record = recordOf({ socket: path });
    const connecting = connectControl(realDeps, record, { timeoutMs: 5_000, signal: never });
    await expect(connecting).rejects.toMatchObject({ code: "OWNER_UNPROVEN" });
    expect(heard.join("")).not.toContain(record.instance);
  });

  test.each([
    { name: "speaks another protocol", answer: () => "HTTP/1.1 400 Bad Request\r\n\r\n" },
    { name: "talks without end", answer: () => "x".repeat(1024 * 1024 + 1) },
  ])("that $name counts as one that does not answer", async ({ answer }) => {
    const { path } = await impostor(answer);
    const connecting = connectControl(realDeps, recordOf({ socket: path }), {
      timeoutMs: 5_000,
      signal: never,
    });
    await expect(connecting).rejects.toMatchObject({ code: "UNRESPONSIVE" });
  });

  test("that hangs up has not kept anybody waiting", async () => {
    const { path } = await impostor(() => undefined);
    const options = { timeoutMs: 5_000, signal: never };
    await expect(connectControl(realDeps, recordOf({ socket: path }), options)).rejects.toMatchObject({
      code: "UNRESPONSIVE",
      message: expect.stringMatching(/: it closed the connection$/) as string,
    });
  });

  test("that says nothing is given up in time", async () => {
    const { path, heard } = await impostor(() => "");
    const clock = new FakeClock();
    const connecting = connectControl({ ...realDeps, clock }, recordOf({ socket: path }), {
      timeoutMs: 1_000,
      signal: never,
    });
    const failing = expect(connecting).rejects.toMatchObject({ code: "UNRESPONSIVE" });
    while (heard.length === 0) await settle();
    await clock.advance(1_000);
    await failing;
  });
});

describe("a stranger", () => {
  test.each([
    { name: "asks before it greets", line: '{"id":1,"method":"status"}' },
    { name: "greets without a proof", line: '{"id":1,"method":"hello","params":{}}' },
    {
      name: "proves another nonce",
      line: JSON.stringify({ id: 1, method: "hello", params: hello(newInstance()) }),
    },
  ])("that $name is told no more than that, and disconnected", async ({ line }) => {
    const { raw } = await rig({ status: () => Promise.reject(new Error("asked")) });
    const it = await raw();
    it.say(line);
    expect(await it.hear()).toMatchObject({
      id: 1,
      error: { code: expect.stringMatching(/USAGE|OWNER_UNPROVEN/) },
    });
    expect(await it.hear()).toBeUndefined();
  });

  test("that says nothing is disconnected after two seconds", async () => {
    const clock = new FakeClock();
    const { raw, server } = await rig({}, { clock });
    const it = await raw();
    while (server.clients === 0) await settle();
    await clock.advance(1_999);
    expect(server.clients).toBe(1);
    await clock.advance(1);
    expect(await it.hear()).toBeUndefined();
  });

  test("that greeted in time stays", async () => {
    const clock = new FakeClock();
    const { raw } = await rig({}, { clock });
    const it = await raw();
    await it.greet();
    await clock.advance(60_000);
    it.say('{"id":1,"method":"ping"}');
    expect(await it.hear()).toEqual({ id: 1, result: {} });
  });
});

describe("the server", () => {
  test("answers the frozen requests of a client that speaks a later protocol", async () => {
    const { raw, instance } = await rig({ status: () => Promise.resolve(report) });
    const it = await raw();
    const later = { ...hello(instance), protocol: { min: 8, max: 9 }, mood: "good" };
    it.say(JSON.stringify({ id: 1, method: "hello", params: later, trace: "t" }));
    expect(await it.hear()).toMatchObject({
      id: 1,
      result: { protocol: { min: 1, max: 1 }, pid: process.pid },
    });
    it.say('{"id":2,"method":"status","params":{"verbose":true}}');
    expect(await it.hear()).toEqual({ id: 2, result: report });
    it.say('{"id":3,"method":"stop","params":{"names":null,"drainMs":0,"gently":true}}');
    expect(await it.hear()).toEqual({ id: 3, result: { stopped: [] } });
  });

  test("answers what it does not know with an error, and stays", async () => {
    const { raw } = await rig();
    const it = await raw();
    await it.greet();
    it.say('{"id":1,"method":"dance"}');
    expect(await it.hear()).toMatchObject({ id: 1, error: { code: "KFWD_VERSION_SKEW" } });
    it.say('{"id":2,"method":"stop","params":{"names":"all"}}');
    expect(await it.hear()).toMatchObject({
      id: 2,
      error: {
        code: "KFWD_VERSION_SKEW",
        message: 'the supervisor does not understand "names" of the request "stop"',
      },
    });
    it.say('{"id":3,"method":"ping"}');
    expect(await it.hear()).toEqual({ id: 3, result: {} });
  });

  test.each([
    { name: "what is no request", line: "GET / HTTP/1.1" },
    { name: "a line that never ends", line: "x".repeat(1024 * 1024 + 1) },
  ])("disconnects who sends $name", async ({ line }) => {
    const { raw } = await rig();
    const it = await raw();
    await it.greet();
    it.say(line);
    expect(await it.hear()).toBeUndefined();
  });

  test("survives a supervisor that throws at once", async () => {
    const { client } = await rig({
      stop: () => {
        throw new Error("boom");
      },
    });
    const it = await client();
    await expect(it.stop({ names: null, drainMs: 0 })).rejects.toMatchObject({ code: "INTERNAL" });
    await it.ping();
  });

  test("drops a client that follows and does not read, counts it, and goes on", async () => {
    let tell: (event: SupervisorEvent) => void = () => {};
    const { raw, client, server } = await rig({
      follow: (listener) => {
        tell = listener;
        return Promise.resolve({ [Symbol.asyncDispose]: async () => {} });
      },
    });
    const slow = await raw();
    await slow.greet();
    slow.say('{"id":1,"method":"follow"}');
    await slow.hear();
    slow.socket.pause();
    const name = "x".repeat(1000);
    for (let i = 0; i < 3_000 && server.dropped === 0; i++) tell({ type: "removed", name });
    expect(server.dropped).toBe(1);
    await (await client()).ping();
  });

  test("refuses an answer that is too long to send", async () => {
    const { client } = await rig({
      status: () => Promise.resolve({ ...report, project: "x".repeat(1024 * 1024) }),
    });
    const it = await client();
    await expect(it.status()).rejects.toThrow("too long to send");
    await it.ping();
  });

  test("serves 64 clients, and disconnects and counts the next", async () => {
    const { raw, server } = await rig();
    const all = await Promise.all(Array.from({ length: 64 }, raw));
    await Promise.all(all.map((it) => it.greet()));
    const next = await raw();
    expect(await next.hear()).toBeUndefined();
    expect([server.clients, server.dropped]).toEqual([64, 1]);
  });

  test("limits how much one client may ask at once", async () => {
    const { raw } = await rig({ status: () => new Promise(() => {}) });
    const it = await raw();
    await it.greet();
    for (let id = 1; id <= 65; id++) it.say(`{"id":${id},"method":"status"}`);
    expect(await it.hear()).toMatchObject({ id: 65, error: { code: "KFWD_USAGE" } });
  });

  test("lets the answer to `stop` arrive when it is closed by it", async () => {
    const made: { rig?: Rig } = {};
    made.rig = await rig({
      stop: async () => {
        queueMicrotask(() => void made.rig?.server[Symbol.asyncDispose]());
        await settle();
        return { stopped: ["api"] };
      },
    });
    const it = await made.rig.client();
    expect(await it.stop({ names: null, drainMs: 0 })).toEqual({ stopped: ["api"] });
    await settle();
  });

  test("is disposed twice without harm", async () => {
    const { server } = await rig();
    await server[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
});
