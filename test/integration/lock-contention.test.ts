import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleepFor } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { realClock } from "../../src/runtime/clock.ts";
import { ownIdentity } from "../../src/runtime/daemon/identity.ts";
import { claimProject } from "../../src/runtime/daemon/ownership.ts";
import { projectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { bundlePuppet } from "../puppets/bundle.ts";
import { idleControl, silentLog } from "../puppets/idlecontrol.ts";

const CONTENDERS = 24;
const SECONDS = Number(process.env["KFWD_CONTENTION_SECONDS"] ?? 5);
const ID = "0123456789abcdef";

let folder: string;
let program: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-contention-"));
  program = await bundlePuppet("contender", folder, "mortal");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Contenders that are replaced whenever they die. */
class Crowd implements AsyncDisposable {
  deaths = 0;
  /** Contenders that ended of themselves: nothing of what happens here may make them. */
  readonly crashes: (number | null)[] = [];
  readonly #journal: string;
  readonly #children = new Set<ChildProcess>();
  #open = true;

  constructor(journal: string) {
    this.#journal = journal;
    for (let i = 0; i < CONTENDERS; i++) this.#spawn();
  }

  any(): ChildProcess {
    const all = [...this.#children];
    return all[Math.floor(Math.random() * all.length)]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    const gone = [...this.#children].map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(gone);
  }

  #spawn(): void {
    const args = [program, folder, ID, this.#journal, join(folder, "oracle")];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, KFWD_PUPPET_DEATH: "0.0005" },
    });
    this.#children.add(child);
    child.once("exit", (code, signal) => {
      this.#children.delete(child);
      if (signal === null) this.crashes.push(code);
      this.deaths++;
      if (this.#open) this.#spawn();
    });
  }
}

/** Kills and pauses contenders at random moments for as long as it is told. */
async function torment(crowd: Crowd, goesOn: () => boolean): Promise<{ kills: number; pauses: number }> {
  const done = { kills: 0, pauses: 0 };
  while (goesOn()) {
    await sleepFor(Math.random() * 200);
    const child = crowd.any();
    if (Math.random() < 0.6) {
      child.kill("SIGKILL");
      done.kills++;
    } else {
      child.kill("SIGSTOP");
      setTimeout(() => child.kill("SIGCONT"), Math.random() * 400);
      done.pauses++;
    }
  }
  return done;
}

test(
  "a crowd that is killed and paused at every step never has two owners, and leaves the lock usable",
  async () => {
    const journal = join(folder, "journal");
    writeFileSync(journal, "");
    const crowd = new Crowd(journal);
    const entries = (): string[] => readFileSync(journal, "utf8").trimEnd().split("\n");
    const acquisitions = (): number => entries().filter((line) => line === "owned").length;
    const startedMs = performance.now();
    const passedS = (): number => (performance.now() - startedMs) / 1000;
    // On a machine with a lot else to do the crowd hardly gets to start: then it has longer.
    const goesOn = (): boolean =>
      passedS() < SECONDS || (acquisitions() <= SECONDS && passedS() < SECONDS + 30);
    const done = await torment(crowd, goesOn);
    await crowd[Symbol.asyncDispose]();

    const wrong = entries().filter((line) => line !== "owned");
    const owned = acquisitions();
    console.log(
      `contention: ${owned} acquisitions in ${Math.round(passedS())} s, ${crowd.deaths - CONTENDERS} deaths ` +
        `(${done.kills} by the test), ${done.pauses} pauses, ${wrong.length} violations`,
    );
    expect(wrong).toEqual([]);
    expect(crowd.crashes).toEqual([]);
    expect(owned).toBeGreaterThan(SECONDS);
    await expectUsable();
  },
  (SECONDS + 60) * 1000,
);

/** The next owner finds its way past whatever the dead have left, and sweeps it. */
async function expectUsable(): Promise<void> {
  const uid = process.geteuid?.();
  const deps = { clock: realClock, log: silentLog, version: "0.0.0", uid, here: ownIdentity() };
  const files = projectFiles(folder, ID);
  const request = {
    files,
    facts: { env: {}, uid, platform: process.platform, home: folder },
    control: idleControl,
    about: {
      project: "contended",
      config: { path: null, sha256: "" },
      log: "",
      startedAt: "",
      mode: "detached",
    },
  } as const;
  const claimed = await claimProject(deps, request, new AbortController().signal);
  if (claimed.kind !== "owned") throw new Error(`held: ${JSON.stringify(claimed.holder)}`);
  expect(readdirSync(files.folder).sort()).toEqual([expect.stringMatching(/^[0-9a-f]{8}\.sock$/), "lock"]);
  await claimed.ownership[Symbol.asyncDispose]();
  expect(readdirSync(folder)).not.toContain(ID);
}
