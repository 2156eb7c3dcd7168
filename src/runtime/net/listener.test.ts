import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { KfwdError } from "../../errors.ts";
import type { Reason } from "../core/status.ts";
import type { Connection, Listener } from "../deps.ts";
import { localNet } from "./listener.ts";
import { listeningInodes, startedAs } from "./portowner.ts";

const opened: AsyncDisposable[] = [];
const net = localNet({ clock: new FakeClock(), knownOwner: async () => undefined });

afterEach(async () => {
  for (const resource of opened.splice(0)) await resource[Symbol.asyncDispose]();
});

async function listen(
  bind: string[],
  port: number,
  onConnection: (connection: Connection) => void = (c) => c.reset(),
): Promise<Listener> {
  const listener = await net.listen({ bind, port, label: "web" }, { onConnection, onRefused: never });
  opened.push(listener);
  return listener;
}

function never(): never {
  throw new Error("nobody was to come");
}

/** Takes a port as another program would. */
async function occupy(host: string, port = 0): Promise<number> {
  const server = createServer();
  server.listen(port, host);
  await once(server, "listening");
  opened.push({ [Symbol.asyncDispose]: async () => void server.close() });
  return (server.address() as { port: number }).port;
}

async function errorOf(promise: Promise<unknown>): Promise<KfwdError> {
  return promise.then(
    () => expect.fail("it did not throw"),
    (error: unknown) => error as KfwdError,
  );
}

describe("listening", () => {
  test("localhost is both families, on one port", async () => {
    const { local } = await listen(["localhost"], 0);
    expect(local.map(({ address }) => address)).toEqual(["127.0.0.1", "::1"]);
    expect(new Set(local.map(({ port }) => port)).size).toBe(1);
    expect(local[0]?.port).toBeGreaterThan(0);
  });

  test("hands out clients of each address", async () => {
    let count = 0;
    const { local } = await listen(["localhost"], 0, (connection) => {
      count++;
      connection.reset();
    });
    for (const { address, port } of local) {
      const client = connect(port, address);
      await once(client, "error");
    }
    expect(count).toBe(2);
  });

  test("a client for whom there is no room is reset at once, and its listener told why", async () => {
    const full: Reason = { code: "TooManyConnections", kind: "local", message: "full" };
    let refusal: Reason | undefined = full;
    const cramped = localNet({ clock: new FakeClock(), knownOwner: async () => undefined }, () => refusal);
    const told: Reason[] = [];
    let taken = 0;
    const listener = await cramped.listen(
      { bind: ["127.0.0.1"], port: 0, label: "web" },
      {
        onConnection: (connection) => {
          taken++;
          connection.reset();
        },
        onRefused: (reason) => told.push(reason),
      },
    );
    opened.push(listener);
    const reset = async (): Promise<void> => {
      const client = connect(listener.local[0]?.port ?? 0, "127.0.0.1");
      const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ECONNRESET");
    };
    await reset();
    await reset();
    expect([taken, told]).toEqual([0, [full, full]]);
    refusal = undefined;
    await reset();
    expect([taken, told.length]).toEqual([1, 2]);
  });

  test("a disposed listener frees its port at once", async () => {
    const first = await listen(["localhost"], 0);
    const port = first.local[0]?.port ?? 0;
    await first[Symbol.asyncDispose]();
    const second = await listen(["localhost"], port);
    expect(second.local[0]?.port).toBe(port);
  });

  test("a taken port names its owner, and nothing stays bound", async () => {
    const port = await occupy("::1");
    const error = await errorOf(listen(["localhost"], port));
    expect(error).toBeInstanceOf(KfwdError);
    expect(error.code).toBe("PORT_BUSY");
    expect(error.exit).toBe(5);
    expect(error.message).toMatch(
      new RegExp(
        `cannot bind localhost:${port} for forward "web": it is in use by .+ \\(pid ${process.pid}\\)`,
      ),
    );
    expect(await occupy("127.0.0.1", port)).toBe(port);
  });

  test("asks for more about the owner", async () => {
    const named = localNet({
      clock: new FakeClock(),
      knownOwner: async (pid) => ({
        name: `kfwd project "shop" (pid ${pid})`,
        remedy: "`kfwd down -p shop`",
      }),
    });
    const port = await occupy("127.0.0.1");
    const clients = { onConnection: never, onRefused: never };
    const error = await errorOf(named.listen({ bind: ["127.0.0.1"], port, label: "web" }, clients));
    expect(error.message).toContain(`in use by kfwd project "shop"`);
    expect(error.hint).toBe('`kfwd down -p shop`, or set another `local:` for "web"');
  });

  test("an address of another machine is refused in words", async () => {
    const error = await errorOf(listen(["192.0.2.1"], 0));
    expect(error.code).toBe("ADDRESS_UNAVAILABLE");
    expect(error.message).toBe('cannot bind 192.0.2.1:0 for forward "web": this machine has no such address');
  });
});

test("the kernel's table of sockets tells who listens", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0 100 0 0 10 0",
    "   1: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 31338 1 0 20 4 30 10 -1",
    "   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22222 1 0 100 0 0 10 0",
  ].join("\n");
  expect(listeningInodes(table, 5432)).toEqual(["31337"]);
  expect(listeningInodes(table, 22)).toEqual(["22222"]);
  expect(listeningInodes(table, 80)).toEqual([]);
});

test.each([
  ["/usr/bin/node\0server.js\0", "node"],
  ["nginx: master process /usr/sbin/nginx\0", "nginx"],
  ["npm run dev\0\0\0", "npm"],
  ["java\0-jar\0/srv/app.jar\0", "java"],
  ["", ""],
])("the program of the command line %j is %j", (commandLine, program) => {
  expect(startedAs(commandLine)).toBe(program);
});
