/** The credentials of one context: read, renewed, given up. */
import { createSecureContext, type ConnectionOptions } from "node:tls";
import { isIP } from "node:net";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { Breaker } from "./breaker.ts";
import type { Connection } from "./kubeconfig.ts";
import { MaterialReader, type Material } from "./material.ts";
import { loginHint } from "./plugin.ts";
import type { ProxyServer } from "./proxy.ts";

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
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of kfwd, for the User-Agent. */
  readonly version: string;
}

/** Credentials, and until when they are taken as good: by the monotonic clock and, where they expire, by the wall. */
interface Held {
  readonly credentials: Credentials;
  readonly material: Material;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly untilWallMs: number;
}

/** Runs one renewal at a time, whoever asks. Disposing ends a plugin that is running. */
export class KubeAccess implements RenewableAccess, Disposable {
  readonly context: string;
  readonly #around: AccessSurroundings;
  readonly #look: () => Connection;
  readonly #reader = new MaterialReader();
  readonly #breaker: Breaker;
  readonly #ended = new AbortController();
  #connection: Connection;
  #held: Held | undefined;
  #renewal: Promise<Credentials> | undefined;
  #lastError: KfwdError | undefined;

  /** `look` finds the context again: someone may log in anew, or make the cluster anew, while we run. */
  constructor(connection: Connection, look: () => Connection, around: AccessSurroundings) {
    this.context = connection.context;
    this.#connection = connection;
    this.#look = look;
    this.#around = around;
    this.#breaker = new Breaker(around.clock, PLUGIN_FAILURES_MAX, PLUGIN_REST_MS);
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
    const { clock } = this.#around;
    this.#lookAgain();
    const held = this.#held;
    if (held && clock.now() < held.untilMs && clock.wall() < held.untilWallMs) return held.credentials;
    if (this.#breaker.resting) {
      if (this.#lastError) throw this.#lastError;
      if (held) return held.credentials; // the server refuses them again, and no plugin is run
    }
    this.#renewal ??= this.#renew().finally(() => (this.#renewal = undefined));
    return abortable(this.#renewal, signal);
  }

  forget(refused: Credentials): void {
    const held = this.#held;
    if (held?.credentials !== refused || held.untilMs === EXPIRED) return;
    if (this.#connection.user.exec && !this.#proven(held)) this.#breaker.failed();
    this.#held = { ...held, untilMs: EXPIRED };
  }

  /** A person wants it to work now: a plugin that was left alone may be run again. */
  retry(): void {
    this.#breaker.reset();
  }

  [Symbol.dispose](): void {
    this.#ended.abort(
      new KfwdError("CREDENTIALS", `the access to context "${this.context}" has been closed`),
    );
  }

  async #renew(): Promise<Credentials> {
    const { clock, env, version } = this.#around;
    const connection = this.#connection;
    if (this.#held && this.#proven(this.#held)) this.#breaker.reset();
    try {
      const material = await this.#reader.read(connection, { env, clock, signal: this.#ended.signal });
      const tls = this.#tls(connection, material);
      const credentials = this.#sameOr({
        tls,
        headers: { "User-Agent": `kfwd/${version}`, ...material.headers },
      });
      const isLatest = connection === this.#connection;
      const life = isLatest ? this.#lifetime(material) : { untilMs: EXPIRED, untilWallMs: EXPIRED };
      this.#held = { credentials, material, sinceMs: clock.now(), ...life };
      this.#lastError = undefined;
      return credentials;
    } catch (error) {
      if (connection.user.exec) this.#breaker.failed();
      this.#lastError = KfwdError.from(error);
      throw this.#lastError;
    }
  }

  /** The credentials of before if these say the same, so that whoever was refused with them can tell. */
  #sameOr(credentials: Credentials): Credentials {
    const before = this.#held?.credentials;
    if (before?.tls !== credentials.tls) return credentials;
    return JSON.stringify(before.headers) === JSON.stringify(credentials.headers) ? before : credentials;
  }

  #proven(held: Held): boolean {
    return this.#around.clock.now() - held.sinceMs >= PROVEN_MS;
  }

  /** Takes over what the kubeconfig says now; while it is broken or has lost the context, the last good one stands. */
  #lookAgain(): void {
    let latest: Connection;
    try {
      latest = this.#look();
    } catch {
      return;
    }
    const { user, cluster } = this.#connection;
    if (latest.user === user && latest.cluster === cluster) return;
    this.#connection = latest;
    this.#breaker.reset();
    if (this.#held) this.#held = { ...this.#held, untilMs: EXPIRED };
  }

  /** The same object as long as it says the same, so that connections made with it can be shared. */
  #tls({ server, cluster, clusterName }: Connection, material: Material): ConnectionOptions {
    const host = server.hostname.replace(/^\[|\]$/g, "");
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

  #lifetime({ expiresAtMs }: Material): Pick<Held, "untilMs" | "untilWallMs"> {
    const { clock } = this.#around;
    const untilMs = this.#connection.user.exec ? FOREVER : clock.now() + REREAD_MS;
    if (expiresAtMs === undefined) return { untilMs, untilWallMs: FOREVER };
    // Expiry is a moment on the wall, the one case where that clock decides. Short lives are used to their half.
    const leftMs = expiresAtMs - clock.wall();
    const useMs = Math.max(LEAST_LIFE_MS, leftMs - Math.min(RENEW_EARLY_MS, leftMs / 2));
    return { untilMs, untilWallMs: clock.wall() + useMs };
  }
}

const FOREVER = Number.POSITIVE_INFINITY;
const EXPIRED = Number.NEGATIVE_INFINITY;

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
