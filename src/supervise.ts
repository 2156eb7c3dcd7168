/**
 * Composition root of the supervisor: joins the real clock, cluster, sockets, lock and log. `kfwd up` runs it in its
 * own process; `kfwd up -d` starts this file as a process that outlives the shell.
 */
import { createHash } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import * as z from "zod/mini";
import { KfwdError } from "./errors.ts";
import { KubeCluster } from "./runtime/cluster/cluster.ts";
import { findRelays, removeRelay } from "./runtime/cluster/leftrelays.ts";
import { KubeRelays } from "./runtime/cluster/relays.ts";
import { RELAY_PROGRAM } from "./relayprogram.ts";
import { KubeApi } from "./runtime/cluster/kubeapi.ts";
import { realClock } from "./runtime/clock.ts";
import type { Log, Terminal } from "./runtime/deps.ts";
import { ownIdentity } from "./runtime/daemon/identity.ts";
import { LentTerminal } from "./runtime/daemon/lentterminal.ts";
import { FileLog } from "./runtime/daemon/log.ts";
import { claimProject, type Ownership } from "./runtime/daemon/ownership.ts";
import { Rereading } from "./runtime/daemon/readagain.ts";
import { portHolder } from "./runtime/daemon/portholder.ts";
import { KeptPorts } from "./runtime/forwards/autoports.ts";
import { portStore } from "./runtime/daemon/portstore.ts";
import { logPath, projectFiles } from "./runtime/daemon/projectfiles.ts";
import { reportToParent } from "./runtime/daemon/startreport.ts";
import { homeFolder } from "./runtime/daemon/whereabouts.ts";
import { keepRecord } from "./runtime/keeprecord.ts";
import { localNet } from "./runtime/net/listener.ts";
import { SILENT_LOG } from "./runtime/silentlog.ts";
import type { RelayTools, Supervised, SuperviseOutcome, SuperviseRequest } from "./runtime/supervised.ts";
import { Supervisor } from "./runtime/supervisor.ts";
import { localUdp } from "./runtime/net/udplistener.ts";
import { watchForWake } from "./runtime/wake.ts";
import { VERSION } from "./version.ts";

/** How long connections may go on when the process is asked to end by a signal. */
const SIGTERM_DRAIN_MS = 5_000;

/** A crashed process does not live on because its disk hangs. */
const LAST_WORDS_MS = 2_000;

/** Whoever starts a supervisor sends it forwards within this time, or it ends. */
const FIRST_APPLY_MS = 30_000;

/** Builds a supervisor in this process and makes it the owner of the project. */
export async function supervise(
  request: SuperviseRequest,
  mode: "foreground" | "detached",
  signal: AbortSignal,
): Promise<SuperviseOutcome> {
  // V8 collects sooner: 5000 short connections leave 100 MB resident instead of 140, for 6 % more CPU on each.
  setFlagsFromString("--optimize-for-size");
  const clock = realClock;
  const uid = process.geteuid?.();
  const facts = { env: process.env, uid, platform: process.platform, home: homeFolder() };
  const log = new FileLog(clock, logPath(facts, request.id));
  const world = { clock, random: Math.random, log };
  const lent = mode === "detached" && request.terminal ? new LentTerminal() : undefined;
  const own = mode === "foreground" ? ownTerminal() : undefined;
  const api = new KubeApi({
    ...world,
    log: changesOnly(log),
    env: process.env,
    home: facts.home,
    version: VERSION,
    get terminal() {
      return own ?? lent?.current;
    },
  });
  const cluster = new KubeCluster(api, clock, Math.random);
  const knownOwner = portHolder(request.runtimeFolder, uid);
  const net = localNet({ clock, knownOwner });
  const udp = localUdp({ clock, log, knownOwner });
  const relays = new KubeRelays({
    ...world,
    api,
    cluster,
    program: RELAY_PROGRAM,
    owner: { project: request.project, projectId: request.id, user: userHash(uid, facts.home) },
  });
  const startedAt = new Date().toISOString();
  const supervisor = new Supervisor(
    { ...world, cluster, relays, net, udp, autoPorts: new KeptPorts(portStore(log.path, log)) },
    { pid: process.pid, mode, version: VERSION, startedAt, log: log.path },
  );
  // Whoever has to log in has done so before the first forward is there.
  if (lent) await supervisor.follow(({ type }) => type === "forward" && lent[Symbol.dispose]());
  const { project, config } = request;
  try {
    const claimed = await claimProject(
      { clock, log, uid, version: VERSION, here: ownIdentity() },
      {
        files: projectFiles(request.runtimeFolder, request.id),
        facts,
        control: supervisor,
        about: { project, config, log: log.path, startedAt, mode },
      },
      signal,
    );
    if (claimed.kind === "owned") {
      return {
        kind: "running",
        supervised: await keep({ supervisor, cluster, relays, log }, claimed.ownership),
      };
    }
    await cluster[Symbol.asyncDispose]();
    return claimed;
  } catch (thrown) {
    await cluster[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** Without the lines of each try, which in a night without a network would push everything else out of the log. */
function changesOnly(log: Log): Log {
  return {
    debug: () => {},
    info: (...line) => log.info(...line),
    warn: (...line) => log.warn(...line),
    error: (...line) => log.error(...line),
  };
}

/** Undefined where nobody could answer, or would not see the question. */
function ownTerminal(): Terminal | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return { say: (text) => void process.stderr.write(text) };
}

/** What runs while the project is ours. */
interface Parts {
  readonly supervisor: Supervisor;
  readonly cluster: KubeCluster;
  readonly relays: KubeRelays;
  readonly log: FileLog;
}

async function keep({ supervisor, cluster, relays, log }: Parts, ownership: Ownership): Promise<Supervised> {
  const clock = realClock;
  void relays.sweep(ownership.leftRelays);
  relays.keepRecords((records) => {
    ownership
      .update({ relays: records })
      .catch((thrown: unknown) => log.warn("lock.update", { error: KfwdError.from(thrown).message }));
  });
  const stop = new AbortController();
  const record = await keepRecord({ clock, log }, supervisor, (update) => ownership.update(update));
  let tellLost: (why: string) => void = () => {};
  const lostAsleep = new Promise<string>((resolve) => (tellLost = resolve));
  const wake = watchForWake(clock, networkInterfaces, (what) => {
    if (what.kind === "slept") log.info("woke", { sleptMs: Math.round(what.sleptMs) });
    else log.info("network changed", { networks: what.networks });
    supervisor.wake();
    ownership.check().then(
      (why) => why !== undefined && tellLost(why),
      () => {}, // the guard looks again
    );
  });
  const unowned = ownership.guard(stop.signal).catch(() => new Promise<string>(() => {}));
  const idle = clock.timer(FIRST_APPLY_MS, () => supervisor.endIfIdle());
  const ended = Promise.race([supervisor.ended, unowned, lostAsleep]);
  const cli = join(__dirname, "..", "bin", "kfwd.js");
  const rereading = new Rereading({ clock, log }, cli, () => supervisor.again);
  log.info("started", { pid: process.pid, version: VERSION });
  return {
    control: supervisor,
    ended,
    readAgain: () => void rereading.start(),
    crashed: async (error) => {
      const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error("crashed", { error: words });
      const lastWords = words.split("\n")[0] ?? words;
      const late = clock.sleep(LAST_WORDS_MS, stop.signal);
      await Promise.race([ownership.update({ lastWords }), late]).catch(() => {}); // the lock may be what broke
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      rereading[Symbol.dispose]();
      idle[Symbol.dispose]();
      wake[Symbol.dispose]();
      await record[Symbol.asyncDispose]();
      await supervisor.stop({ names: null, drainMs: 0 });
      await relays[Symbol.asyncDispose](); // before the lock, which names their pods
      await ownership[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      log.info("ended");
      log[Symbol.dispose]();
    },
  };
}

/** Looks for relay pods that no supervisor keeps, and deletes them. */
export function relayTools(): RelayTools {
  const home = homeFolder();
  const world = { clock: realClock, random: Math.random, log: SILENT_LOG };
  const terminal = ownTerminal();
  const api = new KubeApi({ ...world, env: process.env, home, version: VERSION, terminal });
  return {
    find: async (places, signal) => {
      const pinned = places.flatMap((place) => {
        try {
          return [api.pin(place)];
        } catch {
          return []; // a context that is no more
        }
      });
      return findRelays(api, userHash(process.geteuid?.(), home), pinned, signal);
    },
    remove: (relay, signal) => removeRelay(api, relay, signal),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

/** Tells the relays of one user apart from those of another, and nothing else. */
function userHash(uid: number | undefined, home: string): string {
  return createHash("sha256").update(`${hostname()} ${uid} ${home}`).digest("hex").slice(0, 16);
}

// --- as a process of its own ------------------------------------------------------------------------------------

const superviseRequest = z.object({
  runtimeFolder: z.string(),
  id: z.string(),
  project: z.string(),
  config: z.object({ path: z.nullable(z.string()), sha256: z.string() }),
  terminal: z.exactOptional(z.boolean()),
});

/** Runs until there is nothing left to keep. Exit status: 0 ended as asked, 70 a bug or a lost lock. */
async function runDetached(text: string): Promise<number> {
  const refuse = async (error: KfwdError): Promise<number> => {
    await reportToParent(process, { type: "failed", error: error.toRecord() });
    return error.exit;
  };
  let outcome: SuperviseOutcome;
  try {
    const request: SuperviseRequest = superviseRequest.parse(JSON.parse(text));
    outcome = await supervise(request, "detached", new AbortController().signal);
  } catch (thrown) {
    return refuse(KfwdError.from(thrown));
  }
  if (outcome.kind === "held") {
    await reportToParent(process, { type: "taken" });
    return 0;
  }
  const { supervised } = outcome;
  listenToSignals(supervised);
  await reportToParent(process, { type: "owned", pid: process.pid });
  const why = await supervised.ended;
  await supervised[Symbol.asyncDispose]();
  return why === "stopped" ? 0 : 70;
}

function listenToSignals({ control, crashed, readAgain }: Supervised): void {
  process.on("uncaughtException", async (error) => {
    await crashed(error);
    process.exit(70);
  });
  const end = (): void => void control.stop({ names: null, drainMs: SIGTERM_DRAIN_MS });
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.on("SIGHUP", readAgain);
  process.on("SIGUSR1", () => {}); // Node would open a debugger that any local user can reach
}

/** Runs this process as a detached supervisor; its one argument is a {@link SuperviseRequest}. */
export function main(): void {
  runDetached(process.argv[2] ?? "").then(
    (status) => process.exit(status),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`); // goes to the log
      process.exit(70);
    },
  );
}
