/** The credentials of one context: read, renewed, given up. */
import { createSecureContext, type ConnectionOptions } from "node:tls";
import { isIP } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { KfwdError } from "../../errors.ts";
import { unbracketed } from "../../hostport.ts";
import type { Note } from "../core/status.ts";
import type { Clock, Log, Random, Terminal } from "../deps.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { Breaker } from "./breaker.ts";
import { Connector } from "./connector.ts";
import type { Connection } from "./kubeconfig.ts";
import { MaterialReader, type Material } from "./material.ts";
import { Names } from "./names.ts";
import { loginHint, PluginNotRun, type PluginAnswer } from "./plugin.ts";
import { inputsOf } from "./plugininputs.ts";
import type { ProxyServer } from "./proxy.ts";
import { Lookout } from "./lookout.ts";

/** Files and tokens of a kubeconfig are read anew after this long: others renew them, and client-go does the same. */
const REREAD_MS = 60_000;

/** A credential is renewed this long before it expires, so that no request in flight meets its end. */
const RENEW_EARLY_MS = 60_000;

/** A plugin whose answers have expired already (or a clock that is wrong) is not run more often than this. */
const LEAST_LIFE_MS = 10_000;

/** A plugin may open a browser window each time: after three failures it is left alone for ten minutes. */
const PLUGIN_FAILURES_MAX = 3;
const PLUGIN_REST_MS = 600_000;

/** What a plugin answered has proven good when the server took it for this long. */
const PROVEN_MS = 300_000;

/** What a {@link KubeAccess} needs of the world. */
export interface AccessSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** Of kfwd, for the User-Agent. */
  readonly version: string;
}

/** Files that could not be read are looked at again this soon; what they said last holds meanwhile. */
const MENDING_MS = 10_000;

/** Credentials, and how long they are taken as good. */
interface Held {
  readonly credentials: Credentials;
  readonly material: Material;
  readonly sinceMs: number;
  /** When files are read again, on the clock. */
  readonly untilMs: number;
  /** The plugin's answer holds so long by the wall clock, the one case where that decides; files do not expire. */
  readonly untilWallMs: number;
  /** Whether the server has refused them, or the kubeconfig says otherwise now. */
  readonly stage: "good" | "refused" | "outdated";
}

/** Runs one renewal at a time, whoever asks. Disposing ends a plugin that is running. */
export class KubeAccess implements RenewableAccess, Disposable {
  readonly context: string;
  readonly names: Names;
  readonly lookout: Lookout;
  readonly #around: AccessSurroundings;
  readonly #look: () => Connection;
  readonly #reader = new MaterialReader();
  readonly #breaker: Breaker;
  readonly #ended = new AbortController();
  #connection: Connection;
  #held: Held | undefined;
  #renewal: Promise<Credentials> | undefined;
  #lastError: KfwdError | undefined;
  /** What the plugin depended on when it failed last. */
  #inputs = "";
  /** What is wrong with the kubeconfig, and with the files it names, while what they said before holds. */
  #kubeconfigTrouble: KfwdError | undefined;
  #filesTrouble: KfwdError | undefined;

  /** `look` finds the context again: someone may log in anew, or make the cluster anew, while we run. */
  constructor(connection: Connection, look: () => Connection, around: AccessSurroundings) {
    this.context = connection.context;
    this.#connection = connection;
    this.#look = look;
    this.#around = around;
    const { clock, random, log } = around;
    this.#breaker = new Breaker(clock, PLUGIN_FAILURES_MAX, PLUGIN_REST_MS);
    this.names = new Names(clock);
    const connector = new Connector(this, clock);
    // What is there already does for a handshake: no plugin is run to find out whether there is a network.
    const probe = (signal: AbortSignal): Promise<void> => connector.probe(this.#held?.credentials, signal);
    this.lookout = new Lookout({ clock, random, log, context: connection.context, probe });
  }

  get user(): string {
    return this.#connection.userName;
  }

  get server(): URL {
    return this.#connection.server;
  }

  get proxy(): ProxyServer | undefined {
    return this.#connection.proxy;
  }

  get loginHint(): string | undefined {
    const { exec } = this.#connection.user;
    return exec && loginHint(exec);
  }

  async credentials(signal: AbortSignal): Promise<Credentials> {
    signal.throwIfAborted();
    this.#lookAgain();
    const held = this.#held;
    if (held?.stage === "good" && this.#around.clock.now() < held.untilMs && this.#hasAnswer(held)) {
      return held.credentials;
    }
    if (this.#breaker.resting && this.#inputs !== this.#inputsNow()) this.#breaker.once();
    if (this.#breaker.resting && !(held && this.#hasAnswer(held))) {
      if (this.#lastError) throw this.#lastError;
      if (held) return held.credentials; // the server refuses them again, and no plugin is run
    }
    // Without a network a plugin could only fail, and then be left alone when the network is back.
    if (this.lookout.trouble && !(held && this.#hasAnswer(held))) throw this.lookout.trouble;
    return abortable(this.#renewOnce(undefined), signal);
  }

  /** Lets a plugin that may ask a person do so, while there is one. What it comes to shows when it is needed. */
  async login(terminal: Terminal): Promise<void> {
    const { exec } = this.#connection.user;
    if (exec === undefined || exec.interactiveMode === "Never") return;
    if (this.#held?.stage === "good" && this.#hasAnswer(this.#held)) return;
    await this.#renewOnce(terminal).catch(() => {});
  }

  /** What a user should know although it works. */
  notes(): readonly Note[] {
    this.#lookAgain();
    const stale = [this.#kubeconfigTrouble, this.#filesTrouble]
      .filter((trouble) => trouble !== undefined)
      .map(staleNote);
    if (!this.#connection.cluster.skipTlsVerify) return stale;
    const message = `context "${this.context}" does not check the certificate of its cluster (insecure-skip-tls-verify)`;
    return [...stale, { code: "TlsNotVerified", message }];
  }

  forget(refused: Credentials): void {
    const held = this.#held;
    if (held?.credentials !== refused || held.stage === "refused") return;
    if (held.material.answer && !this.#proven(held)) this.#countFailure(TAKEN_FOR_NOBODY);
    this.#held = { ...held, stage: "refused" };
  }

  /** A person wants it to work now: a plugin that was left alone may be run again. */
  retry(): void {
    this.#breaker.reset();
    this.lookout.wake();
  }

  [Symbol.dispose](): void {
    this.#ended.abort(
      new KfwdError("CREDENTIALS", `the access to context "${this.context}" has been closed`),
    );
    this.lookout[Symbol.dispose]();
  }

  #renewOnce(terminal: Terminal | undefined): Promise<Credentials> {
    this.#renewal ??= this.#renew(terminal).finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #renew(terminal: Terminal | undefined): Promise<Credentials> {
    const { clock, env, version } = this.#around;
    const connection = this.#connection;
    const held = this.#held;
    if (held && this.#proven(held)) this.#breaker.reset();
    const answer = held && this.#hasAnswer(held) ? held.material.answer : undefined;
    try {
      const around = { env, clock, signal: this.#ended.signal, terminal };
      const material = await this.#reader.read(connection, around, answer);
      const headers = { "User-Agent": `kfwd/${version}`, ...material.headers };
      const credentials = this.#sameOr({ tls: this.#tls(connection, material), headers });
      const isLatest = connection === this.#connection;
      this.#held = {
        credentials,
        material,
        sinceMs: answer && held ? held.sinceMs : clock.now(),
        untilMs: clock.now() + REREAD_MS,
        untilWallMs: answer && held ? held.untilWallMs : this.#expiry(material.answer),
        stage: isLatest ? "good" : "outdated",
      };
      this.#lastError = this.#filesTrouble = undefined;
      return credentials;
    } catch (thrown) {
      const error = KfwdError.from(thrown);
      if (held?.stage === "good" && this.#hasAnswer(held) && connection === this.#connection) {
        this.#filesTrouble = error;
        this.#held = { ...held, untilMs: clock.now() + MENDING_MS };
        return held.credentials;
      }
      const wasRun = connection.user.exec !== undefined && !(error instanceof PluginNotRun);
      const trouble = wasRun && !this.#ended.signal.aborted ? await this.lookout.ask() : undefined;
      if (trouble) throw trouble;
      this.#lastError = wasRun ? this.#countFailure(error) : error;
      throw this.#lastError;
    }
  }

  #countFailure(error: KfwdError): KfwdError {
    this.#inputs = this.#inputsNow();
    if (!this.#breaker.failed()) return error;
    const { code, message, detail } = error;
    const hint = `${error.hint ?? "log in again"}, then kfwd up: after ${PLUGIN_FAILURES_MAX} failures the plugin is run each ${PLUGIN_REST_MS / 60_000} min only`;
    return new KfwdError(code, message, { hint, detail, cause: error });
  }

  #inputsNow(): string {
    const { exec } = this.#connection.user;
    return exec ? inputsOf(exec, this.#around.env, this.#around.home) : "";
  }

  /** The credentials of before if these say the same, so that whoever was refused with them can tell. */
  #sameOr(credentials: Credentials): Credentials {
    const before = this.#held?.credentials;
    if (before?.tls !== credentials.tls) return credentials;
    return JSON.stringify(before.headers) === JSON.stringify(credentials.headers) ? before : credentials;
  }

  /** Whether no plugin need be run for these. */
  #hasAnswer({ stage, material, untilWallMs }: Held): boolean {
    if (this.#connection.user.exec === undefined) return true;
    if (stage !== "good") return false;
    return material.answer === undefined || this.#around.clock.wall() < untilWallMs;
  }

  #proven(held: Held): boolean {
    return this.#around.clock.now() - held.sinceMs >= PROVEN_MS;
  }

  /** Takes over what the kubeconfig says now; while it is broken or has lost the context, the last good one stands. */
  #lookAgain(): void {
    let latest: Connection;
    try {
      latest = this.#look();
    } catch (thrown) {
      this.#kubeconfigIs(KfwdError.from(thrown));
      return;
    }
    this.#kubeconfigIs(undefined);
    if (isDeepStrictEqual(latest, this.#connection)) return; // another context of the same file was edited
    this.#connection = latest;
    this.#breaker.reset();
    this.lookout.wake(); // it may lead elsewhere
    if (this.#held) this.#held = { ...this.#held, stage: "outdated" };
  }

  /** Looks come with each dial, so the log has only what is news. */
  #kubeconfigIs(trouble: KfwdError | undefined): void {
    const before = this.#kubeconfigTrouble;
    this.#kubeconfigTrouble = trouble;
    if (before?.message === trouble?.message) return;
    const { log } = this.#around;
    if (trouble) log.warn("kubeconfig stale", { context: this.context, reason: trouble.message });
    else log.info("kubeconfig good", { context: this.context });
  }

  /** The same object as long as it says the same, so that connections made with it can be shared. */
  #tls({ server, cluster, clusterName }: Connection, material: Material): ConnectionOptions {
    const host = unbracketed(server.hostname);
    const servername = cluster.tlsServerName ?? (isIP(host) ? "" : host); // an address is checked, but never sent as a name
    const rejectUnauthorized = !cluster.skipTlsVerify; // always said, so that NODE_TLS_REJECT_UNAUTHORIZED has no part in it
    const before = this.#held?.credentials.tls;
    const isSame =
      before?.servername === servername &&
      before.rejectUnauthorized === rejectUnauthorized &&
      this.#held !== undefined &&
      sameCertificates(this.#held.material, material);
    if (isSame) return before;
    const { ca, cert, key } = material;
    try {
      return { servername, rejectUnauthorized, secureContext: createSecureContext({ ca, cert, key }) };
    } catch (error) {
      const message = `the certificates of context "${this.context}" cannot be used: the authority of cluster "${clusterName}", or the certificate and key of user "${this.user}", are not PEM or do not fit together`;
      throw new KfwdError("KUBECONFIG_INVALID", message, { cause: error });
    }
  }

  /** On the wall clock. Short lives are used to their half. */
  #expiry(answer: PluginAnswer | undefined): number {
    if (answer?.expiresAtMs === undefined) return Number.POSITIVE_INFINITY;
    const nowMs = this.#around.clock.wall();
    const leftMs = answer.expiresAtMs - nowMs;
    return nowMs + Math.max(LEAST_LIFE_MS, leftMs - Math.min(RENEW_EARLY_MS, leftMs / 2));
  }
}

const TAKEN_FOR_NOBODY = new KfwdError("UNAUTHORIZED", "the server refused what the plugin answered");

function staleNote({ message, hint }: KfwdError): Note {
  const note = { code: "KubeconfigStale", message: `${message}; what it said before holds` };
  return hint === undefined ? note : { ...note, hint };
}

function sameCertificates(a: Material, b: Material): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key;
}

/** Waits for work that others wait for too: the signal ends the wait, not the work. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
