/** Looks at one context as `kfwd doctor` does: kubeconfig, login, the way to the API server, its version and clock. */
import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { errnoOf } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { NO_NAMES, troubleFinding, type Finding, type PrivateNames } from "../checkup.ts";
import type { Clock, Place } from "../deps.ts";
import type { Attended, AttendHow } from "../surveyor.ts";
import type { Credentials } from "./access.ts";
import { Connector } from "./connector.ts";
import type { KubeApi } from "./kubeapi.ts";
import { Kubeconfigs, type Connection, type KubeconfigSources } from "./kubeconfig.ts";
import { isOnPath, loginWords, parseTime, tokenValidity, validities, type Validity } from "./logincheck.ts";
import { addressText, serverAddress } from "./proxy.ts";

/** A clock that differs by more makes tokens and certificates look too old or too young. */
const SKEW_MAX_MS = 30_000;

/** Credentials that end sooner are spoken of. */
const SOON_MS = 24 * 60 * 60 * 1000;

const HOUR_MS = 60 * 60 * 1000;

const Version = z.object({ gitVersion: z.string() });

/** What a look takes. */
export interface CheckupDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly sources: KubeconfigSources;
  readonly platform: NodeJS.Platform;
}

type Where = Parameters<KubeApi["pin"]>[0];

/** Never throws; what the signal cuts short is told with its reason. */
export async function attend(
  deps: CheckupDeps,
  where: Where,
  how: AttendHow,
  signal: AbortSignal,
): Promise<Attended> {
  let connection: Connection;
  let place: Place;
  try {
    connection = new Kubeconfigs(deps.sources).connection(where.kubeconfig, where.context);
    place = deps.api.pin(where);
  } catch (thrown) {
    const finding = troubleFinding("context", where.context, KfwdError.from(thrown));
    return { place: null, findings: [finding], names: NO_NAMES };
  }
  const { context } = place;
  const found = [contextFinding(connection, place), proxyFinding(connection, place, deps.sources.env)];
  const names = namesOf(connection, place);
  if (how === "leave") {
    const says = "not asked: the kubeconfig is of a file that is not trusted";
    const left = ["credentials", "server"].map((id): Finding => ({
      id,
      about: context,
      state: "unknown",
      says,
    }));
    return { place, findings: [...found, ...left], names };
  }
  const asked = await new Attendance(deps, connection, place).ask(signal);
  const isMissed = asked.some(({ id, state }) => id === "server" && state === "bad");
  return {
    place,
    findings: [...found, ...asked, ...(isMissed ? containerFindings(connection, place) : [])],
    names,
  };
}

class Attendance {
  readonly #deps: CheckupDeps;
  readonly #connection: Connection;
  readonly #place: Place;

  constructor(deps: CheckupDeps, connection: Connection, place: Place) {
    this.#deps = deps;
    this.#connection = connection;
    this.#place = place;
  }

  async ask(signal: AbortSignal): Promise<readonly Finding[]> {
    let credentials: Credentials;
    try {
      credentials = await this.#deps.api.access(this.#place).credentials(signal);
    } catch (thrown) {
      const trouble = this.#loginTrouble(thrown);
      return signal.aborted ? [trouble] : [trouble, await this.#knock(signal)];
    }
    const login = this.#login(credentials);
    try {
      return [login, ...(await this.#greet(signal))];
    } catch (thrown) {
      const error = KfwdError.from(thrown);
      const { context } = this.#place;
      if (error.code === "FORBIDDEN") {
        return [login, this.#finding("server", "good", "answers, but does not tell its version")];
      }
      if (error.code === "UNAUTHORIZED" || error.code === "CREDENTIALS") {
        const answers = this.#finding("server", "warn", "answers, but not to these credentials");
        return [troubleFinding("credentials", context, error), answers];
      }
      return [login, troubleFinding("server", context, error), ...this.#clockTrouble(error)];
    }
  }

  /** What the kubeconfig itself has of a login that came to nothing is said first: a plugin that is not there. */
  #loginTrouble(thrown: unknown): Finding {
    const { exec } = this.#connection.user;
    const finding = troubleFinding("credentials", this.#place.context, KfwdError.from(thrown));
    if (exec === undefined || isOnPath(exec.command, this.#deps.sources.env, this.#deps.platform))
      return finding;
    return { ...finding, detail: [`"${exec.command}" is not on PATH`, ...(finding.detail ?? [])] };
  }

  #login({ headers }: Credentials): Finding {
    const { user, userName } = this.#connection;
    const { Authorization: authorization } = headers;
    const token = typeof authorization === "string" ? authorization.replace(/^Bearer /, "") : undefined;
    const ofPlugin = user.exec === undefined ? undefined : tokenValidity(token);
    const spans = [...validities(user), ...(ofPlugin ? [ofPlugin] : [])];
    const nowMs = this.#deps.clock.wall();
    const judged = spans.map((span) => judge(span, nowMs));
    const worst = judged.find(({ state }) => state === "bad") ?? judged.find(({ state }) => state === "warn");
    const says = [`user "${userName}": ${loginWords(user)}`, ...judged.map((one) => one.says)].join("; ");
    const finding = this.#finding("credentials", worst?.state ?? "good", says);
    if (worst?.state !== "bad") return finding;
    return {
      ...finding,
      exit: 4,
      hint: "log in to your cluster again; or is the clock of this machine right?",
    };
  }

  async #greet(signal: AbortSignal): Promise<readonly Finding[]> {
    const { api, clock } = this.#deps;
    const call = { verb: "get", resource: "version", namespace: this.#place.namespace };
    const sentMs = clock.wall();
    const { json, date } = await api.rest(this.#place).greet({ path: ["version"], query: {}, call }, signal);
    const heardMs = clock.wall();
    const version = Version.safeParse(json);
    const { server, cluster } = this.#connection;
    const what = version.success ? `Kubernetes ${version.data.gitVersion}` : "no version";
    const unchecked = cluster.skipTlsVerify && server.protocol === "https:";
    const how = unchecked ? "; its certificate is not checked (insecure-skip-tls-verify)" : "";
    const says = `${what} at ${server.origin}${how}`;
    const skew = this.#skew(date, sentMs, heardMs);
    return [this.#finding("server", unchecked ? "warn" : "good", says), skew];
  }

  /** The header counts whole seconds, and was written at some time between the two. */
  #skew(date: string | undefined, sentMs: number, heardMs: number): Finding {
    const serverMs = date === undefined ? undefined : parseTime(date);
    if (serverMs === undefined) return this.#finding("clock", "unknown", "the server does not tell its time");
    const behindMs = Math.max(0, serverMs - heardMs);
    const aheadMs = Math.max(0, sentMs - (serverMs + 1000));
    const offMs = Math.max(behindMs, aheadMs);
    if (offMs <= SKEW_MAX_MS) return this.#finding("clock", "good", "as that of the server");
    const way = behindMs > 0 ? "behind" : "ahead of";
    const says = `${Math.round(offMs / 1000)} s ${way} that of the server`;
    return { ...this.#finding("clock", "warn", says), hint: "set the clock of this machine" };
  }

  #clockTrouble(error: KfwdError): readonly Finding[] {
    const code = errnoOf(error.cause);
    if (code !== "CERT_NOT_YET_VALID" && code !== "CERT_HAS_EXPIRED") return [];
    const why = code === "CERT_NOT_YET_VALID" ? "is not valid yet" : "has expired";
    const finding = this.#finding(
      "clock",
      "warn",
      `the server's certificate ${why} by the clock of this machine`,
    );
    return [{ ...finding, hint: "is the clock of this machine right?" }];
  }

  /** Without credentials: whether anybody is there at all. */
  async #knock(signal: AbortSignal): Promise<Finding> {
    try {
      const access = this.#deps.api.access(this.#place);
      await new Connector(access, this.#deps.clock).probe(undefined, signal);
      return this.#finding("server", "unknown", "takes connections; not asked, for lack of credentials");
    } catch (thrown) {
      return troubleFinding("server", this.#place.context, KfwdError.from(thrown));
    }
  }

  #finding(id: string, state: Finding["state"], says: string): Finding {
    return { id, about: this.#place.context, state, says };
  }
}

function judge({ what, fromMs, untilMs }: Validity, nowMs: number): Pick<Finding, "state" | "says"> {
  if (fromMs !== undefined && fromMs > nowMs) {
    return { state: "bad", says: `the ${what} is not valid yet, by ${ageText(fromMs - nowMs)}` };
  }
  if (untilMs === undefined) return { state: "good", says: `the ${what} has no end` };
  const leftMs = untilMs - nowMs;
  if (leftMs <= 0) return { state: "bad", says: `the ${what} expired ${ageText(-leftMs)} ago` };
  return {
    state: leftMs < SOON_MS && what !== "token" ? "warn" : "good",
    says: `the ${what} holds ${ageText(leftMs)}`,
  };
}

function ageText(ms: number): string {
  const hours = ms / HOUR_MS;
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return hours >= 2 ? `${Math.floor(hours)} h` : `${Math.ceil(ms / 60_000)} min`;
}

function contextFinding({ clusterName, userName }: Connection, { context, namespace }: Place): Finding {
  const says = `cluster "${clusterName}", user "${userName}", namespace "${namespace}"`;
  return { id: "context", about: context, state: "good", says };
}

function proxyFinding(
  { server, proxy }: Connection,
  { context }: Place,
  env: KubeconfigSources["env"],
): Finding {
  const finding = (says: string): Finding => ({ id: "proxy", about: context, state: "good", says });
  if (proxy !== undefined) {
    const login = proxy.login === undefined ? "" : ", with a login";
    return finding(`${proxy.scheme} proxy ${addressText(proxy)} (${proxy.source}${login})`);
  }
  const names = server.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  const set = names.find((name) => env[name]);
  if (set === undefined) return finding("none");
  const why = isLoopback(server) ? "the server is this machine" : "NO_PROXY has the server";
  return finding(`none: ${set} is set, but ${why}`);
}

const CONTAINER_MARKS = ["/.dockerenv", "/run/.containerenv"];

function containerFindings({ server }: Connection, { context }: Place): readonly Finding[] {
  if (!isLoopback(server) || !CONTAINER_MARKS.some((path) => existsSync(path))) return [];
  const says = `kfwd runs in a container, where ${server.host} is the container itself`;
  const hint = "name the host in the kubeconfig: host.docker.internal, with `tls-server-name: localhost`";
  return [{ id: "container", about: context, state: "warn", says, hint }];
}

function isLoopback(server: URL): boolean {
  const { host } = serverAddress(server);
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function namesOf({ server, proxy, clusterName, userName }: Connection, place: Place): PrivateNames {
  return {
    hosts: [serverAddress(server).host, ...(proxy === undefined ? [] : [proxy.host])],
    contexts: [place.context],
    namespaces: [place.namespace],
    clusters: [clusterName],
    users: [userName],
  };
}
