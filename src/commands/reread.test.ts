import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import { tempFolder } from "../../test/fakes/lockfolder.ts";
import { Board, Runtime, type RuntimeWorld, type Session, type SessionEnd } from "../runtime/index.ts";
import { Output } from "./output.ts";
import { Reporter } from "./reporter.ts";
import { Rereader } from "./reread.ts";
import { Interrupts, stay } from "./stay.ts";
import { readWanted } from "./wanted.ts";
import type { World } from "./world.ts";

/** Reads files when the test lets it. */
class SlowRuntime extends Runtime {
  reads = 0;
  #gate: Promise<void> = Promise.resolve();

  /** Who reads from now on waits until the function that it returns is called. */
  hold(): () => void {
    let open = (): void => {};
    this.#gate = new Promise((resolve) => (open = resolve));
    return open;
  }

  override async load(request: Parameters<Runtime["load"]>[0]): ReturnType<Runtime["load"]> {
    this.reads++;
    await this.#gate;
    return super.load(request);
  }
}

let folder: string;
let runtime: SlowRuntime;
let world: World;
let out: Output;
let said: string;
let applied: string[][];
let control: Partial<Session["control"]>;
let rereader: Rereader;
let session: Session;
let over: (end: SessionEnd) => void;
let started: Omit<Parameters<typeof stay>[3], "interrupts">;

const write = (...names: string[]): void =>
  writeFileSync(
    join(folder, "forwards.yaml"),
    `version: 1\nforwards:\n${names.map((name) => `  ${name}: { target: svc/${name}, port: 80, local: auto }\n`).join("")}`,
  );

beforeEach(async () => {
  folder = tempFolder();
  const clock = new FakeClock();
  const facts = { env: {}, uid: undefined, platform: "linux", home: folder } as const;
  const around: Partial<RuntimeWorld> = { clock, facts, cwd: folder, version: "0.1.0" };
  runtime = new SlowRuntime(around as RuntimeWorld);
  said = "";
  const stderr = new PassThrough();
  stderr.on("data", (text: Buffer) => (said += text.toString()));
  const streams = { stdout: stderr, stderr, env: {} } as unknown as Pick<World, "stdout" | "stderr" | "env">;
  const onInterrupt: World["onInterrupt"] = () => ({ [Symbol.dispose]: () => {} });
  world = { ...streams, runtime, clock, cwd: folder, onInterrupt } as Partial<World> as World;
  out = new Output(world, { color: "never" });
  write("api");
  const first = await readWanted(world, { color: "never" }, [], out);
  if (first === undefined) throw new Error(said);
  applied = [];
  control = {
    apply: async ({ forwards }) => {
      applied.push(forwards.map(({ name }) => name));
      return { changes: [] };
    },
  };
  const ended = new Promise<SessionEnd>((resolve) => (over = resolve));
  session = { kind: "here", control, ended } as Partial<Session> as Session;
  const reporter = new Reporter(out, clock, first.chosen);
  const flags = { color: "never" } as const;
  rereader = new Rereader({ world, out, flags, names: [], session, reporter, first });
  const { chosen } = first;
  started = { board: new Board(), reporter, chosen, drainMs: 0, exit: 0, keys: undefined, rereader };
});

describe("a reading that is under way", () => {
  test("when it is switched off does nothing, and is done when it is switched on again", async () => {
    write("api", "web");
    const open = runtime.hold();
    const reading = rereader.start();
    rereader.stop();
    open();
    await reading;
    expect([applied, said]).toEqual([[], ""]);
    await rereader.start();
    expect(applied).toEqual([["api", "web"]]);
  });

  test("when it is switched off and on gives way to another", async () => {
    write("api", "web");
    const open = runtime.hold();
    const reading = rereader.start();
    rereader.stop();
    void rereader.start();
    write("api", "db");
    open();
    await reading;
    expect(applied).toEqual([["api", "db"]]);
  });

  test("is not told of when it goes wrong after it was switched off", async () => {
    writeFileSync(join(folder, "forwards.yaml"), "forwards: { api: { targt: x } }");
    const open = runtime.hold();
    const reading = rereader.start();
    rereader.stop();
    open();
    await reading;
    expect(said).toBe("");
    await rereader.start();
    expect(said).toMatch(/targt(.*\n)*the forwards stay as they were\n/);
  });

  test("when `up` is to end does nothing", async () => {
    using interrupts = new Interrupts(world);
    write("api", "web");
    const open = runtime.hold();
    const reading = rereader.start();
    control.status = async () => {
      open();
      await reading;
      return { entries: [] } as Partial<Awaited<ReturnType<Session["control"]["status"]>>> as never;
    };
    control.stop = async () => {
      over({ kind: "stopped" });
      return { stopped: ["api"] };
    };
    interrupts.push("SIGINT");
    expect(await stay(world, out, session, { ...started, interrupts })).toBe(0);
    expect(applied).toEqual([]);
  });
});
