import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { settle } from "../../../test/fakes/clock.ts";
import { never, realDeps, tempFolder } from "../../../test/fakes/lockfolder.ts";
import { bundlePuppet } from "../../../test/puppets/bundle.ts";
import { KfwdError } from "../../errors.ts";
import type { StartReport } from "../wire/startreport.ts";
import { detachedEnv, spawnDetached } from "./detach.ts";
import { reportToParent, type ParentLink } from "./startreport.ts";

let programs = "";
let detachee = "";
let starter = "";
beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), "kfwd-puppet-"));
  detachee = await bundlePuppet("detachee", programs);
  starter = await bundlePuppet("starter", programs);
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

interface Given {
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly fds: Record<string, string>;
  readonly execArgv: readonly string[];
}

function start(manner: string, folder: string, signal = never, timeoutMs = 10_000) {
  const request = {
    script: detachee,
    args: [manner, folder],
    env: process.env,
    logFile: join(folder, "kfwd.log"),
    timeoutMs,
  };
  return spawnDetached(realDeps.clock, request, signal);
}

function killed(report: StartReport): number {
  if (report.type !== "owned") throw new Error(report.type);
  onTestFinished(() => void process.kill(report.pid, "SIGKILL"));
  return report.pid;
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

describe("spawnDetached", () => {
  test("starts a process of its own session, far from this one's folder and output", async () => {
    const folder = tempFolder();
    const pid = killed(await start("owned", folder));
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    expect([fields[2], fields[3], fields[4]]).toEqual([String(pid), String(pid), "0"]); // group, session, no terminal
    const given = JSON.parse(readFileSync(join(folder, "given.json"), "utf8")) as Given;
    expect(given.cwd).toBe("/");
    expect(given.fds).toMatchObject({
      0: "/dev/null",
      1: join(folder, "kfwd.log"),
      2: join(folder, "kfwd.log"),
    });
    const canTurnOff = process.allowedNodeEnvironmentFlags.has("--disable-sigusr1");
    expect(given.execArgv).toEqual(canTurnOff ? ["--disable-sigusr1"] : []);
    expect(readFileSync(join(folder, "kfwd.log"), "utf8")).toBe("a line on standard output\n");
    expect(statSync(join(folder, "kfwd.log")).mode & 0o777).toBe(0o600);
  });

  test("reports that another has the project", async () => {
    expect(await start("taken", tempFolder())).toEqual({ type: "taken" });
  });

  test("throws what the child failed with", async () => {
    await expect(start("failed", tempFolder())).rejects.toMatchObject({
      code: "PORT_BUSY",
      message: "port 5432 is in use",
      hint: "stop it",
    });
  });

  test("shows the last lines of a child that died, and only its own", async () => {
    const folder = tempFolder();
    appendFileSync(join(folder, "kfwd.log"), "from the supervisor before\n");
    const error = await start("dies", folder).catch((thrown: unknown) => thrown);
    if (!(error instanceof KfwdError)) throw new Error("no KfwdError");
    expect(error).toMatchObject({
      code: "INTERNAL",
      message: "the supervisor did not start: it ended with status 1",
      hint: `the whole log is in ${join(folder, "kfwd.log")}`,
    });
    const lines = error.detail?.split("\n") ?? [];
    expect(lines.length).toBe(20);
    expect(error.detail).toContain("Error: boom");
    expect(error.detail).toContain("line 30");
    expect(error.detail).not.toContain("line 1\n");
    expect(error.detail).not.toContain("before");
  });

  test.each([
    {
      name: "is late",
      manner: "silent",
      make: () => never,
      timeoutMs: 500,
      wanted: "it did not report within 0.5 s",
    },
    {
      name: "is not wanted any more",
      manner: "silent",
      make: abortSoon,
      timeoutMs: 10_000,
      wanted: "enough",
    },
    {
      name: "reports nonsense",
      manner: "nonsense",
      make: () => never,
      timeoutMs: 10_000,
      wanted: "does not understand",
    },
  ])("ends a child that $name", async ({ manner, make, timeoutMs, wanted }) => {
    const folder = tempFolder();
    await expect(start(manner, folder, make(folder), timeoutMs)).rejects.toThrow(wanted);
    if (!existsSync(join(folder, "pid"))) return; // it was ended before it could say who it is
    const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
    while (isRunning(pid)) await settle();
  });

  test("does not start at all when nobody wants it", async () => {
    const folder = tempFolder();
    await expect(start("owned", folder, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(existsSync(join(folder, "kfwd.log"))).toBe(false);
  });

  test("refuses a log that leads elsewhere", async () => {
    const folder = tempFolder();
    symlinkSync(join(folder, "target"), join(folder, "kfwd.log"));
    await expect(start("owned", folder)).rejects.toMatchObject({ code: "RUNTIME_FOLDER" });
    expect(existsSync(join(folder, "target"))).toBe(false);
  });
});

/** Aborted when the child has said who it is. */
function abortSoon(folder: string): AbortSignal {
  const controller = new AbortController();
  const look = (): void => {
    if (existsSync(join(folder, "pid"))) controller.abort(new Error("enough"));
    else setImmediate(look);
  };
  look();
  return controller.signal;
}

describe("a whole start from a shell", () => {
  async function fromShell(
    before: string,
    env: Record<string, string> = {},
  ): Promise<{ given: Given; pid: number }> {
    const folder = tempFolder();
    const command = `${before} exec "$0" "$@"`;
    const shell = spawn("bash", ["-c", command, process.execPath, starter, detachee, folder], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env, FOLDER: folder },
    });
    let out = "";
    shell.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await once(shell, "close"); // its output has ended too, although the child lives
    const pid = killed(JSON.parse(out) as StartReport);
    expect(isRunning(pid)).toBe(true);
    return { given: JSON.parse(readFileSync(join(folder, "given.json"), "utf8")) as Given, pid };
  }

  test.runIf(process.platform === "linux")("hands on no descriptor that the shell had open", async () => {
    const { given } = await fromShell('exec 3>"$FOLDER/a" 7>"$FOLDER/b" 40>"$FOLDER/c" 200>"$FOLDER/d";');
    const leaked = Object.values(given.fds).filter((path) => /\/[abcd]$/.test(path));
    expect(leaked).toEqual([]);
    expect([given.fds["40"], given.fds["200"]]).toEqual(["/dev/null", "/dev/null"]);
  });

  test("hands on the environment without what could run code in the child", async () => {
    const { given } = await fromShell("", {
      NODE_OPTIONS: "--no-warnings",
      npm_config_foo: "1",
      RUNNER_TRACKING_ID: "r",
      KUBECONFIG: "/k",
    });
    expect(given.env).toMatchObject({ RUNNER_TRACKING_ID: "r", KUBECONFIG: "/k" });
    expect(Object.keys(given.env).filter((name) => /^(NODE_OPTIONS|npm_.*)$/i.test(name))).toEqual([]);
  });
});

test("detachedEnv drops what is meant for this process only", () => {
  const env = {
    PATH: "/bin",
    KUBECONFIG: "/k",
    RUNNER_TRACKING_ID: "r",
    NODE_EXTRA_CA_CERTS: "/ca",
    npmrc: "mine",
    NODE_OPTIONS: "--inspect",
    NODE_CHANNEL_FD: "3",
    NODE_CHANNEL_SERIALIZATION_MODE: "json",
    npm_config_registry: "x",
    npm_lifecycle_event: "dev",
    EMPTY: "",
    ABSENT: undefined,
  };
  expect(detachedEnv(env)).toEqual({
    PATH: "/bin",
    KUBECONFIG: "/k",
    RUNNER_TRACKING_ID: "r",
    NODE_EXTRA_CA_CERTS: "/ca",
    npmrc: "mine",
    EMPTY: "",
  });
});

describe("reportToParent", () => {
  test("is soft when nobody started this process", async () => {
    await reportToParent({ connected: false, disconnect: () => expect.fail() }, { type: "taken" });
  });

  test("is soft when the parent has just gone, and lets go of it", async () => {
    const link = {
      connected: true,
      disconnected: 0,
      send: (
        _message: unknown,
        _handle: unknown,
        _options: unknown,
        done?: (error: Error | null) => void,
      ) => {
        done?.(new Error("EPIPE"));
        return false;
      },
      disconnect: () => void link.disconnected++,
    };
    await reportToParent(link as unknown as ParentLink, { type: "taken" });
    expect(link.disconnected).toBe(1);
  });
});
