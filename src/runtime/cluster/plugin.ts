/**
 * Credential plugins of a kubeconfig (KEP-541), run by client-node's ExecAuth. What it lacks is added around it:
 * a time limit, the cluster's data in `KUBERNETES_EXEC_INFO`, the time of expiry, and errors that say what to do.
 */
import type { RequestOptions } from "node:https";
import { basename } from "node:path";
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import * as z from "zod/mini";
import { fileTrouble, isOutOfFiles } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { redactText } from "../../redact.ts";
import type { Clock, Terminal } from "../deps.ts";
import type { ClusterEntry, ExecEntry } from "./kubeconfigfile.ts";
import { startPlugin } from "./pluginprocess.ts";

/** A login that needs a person takes longer; those are made in a terminal. */
const PLUGIN_LIMIT_MS = 30_000;

/** A person types, or looks for the second factor; Ctrl-C ends it sooner. */
const TERMINAL_LIMIT_MS = 300_000;

/** What a plugin answered. */
export interface PluginAnswer {
  readonly authorization: string | undefined;
  /** PEM. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Wall-clock milliseconds; undefined: good until the server refuses it. */
  readonly expiresAtMs: number | undefined;
}

/** The plugin, whose name it is run for, and the surroundings. */
export interface PluginRun {
  readonly exec: ExecEntry;
  readonly user: string;
  readonly cluster: ClusterEntry;
  readonly server: URL;
  /** PEM of the cluster's authority, for plugins that ask for the cluster's data. */
  readonly ca: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it may ask a person, if its `interactiveMode` lets it. */
  readonly terminal: Terminal | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The plugin was not run at all, so no harm is done by trying again soon. */
export class PluginNotRun extends KfwdError {}

/**
 * Runs the plugin once. @throws KfwdError `CREDENTIALS` with the plugin's own words in the message and as detail;
 * {@link PluginNotRun} where it could not be started.
 */
export async function runPlugin(run: PluginRun): Promise<PluginAnswer> {
  const { exec, user, clock, signal } = run;
  const limitMs = terminalOf(run) ? TERMINAL_LIMIT_MS : PLUGIN_LIMIT_MS;
  if (exec.interactiveMode === "Always" && run.terminal === undefined) {
    const message = `${nameOf(exec, user)} wants a terminal, and kfwd has none for it`;
    const login = loginHint(exec);
    throw new PluginNotRun("CREDENTIALS", message, { hint: login ? `${login}, then kfwd up` : NO_TERMINAL });
  }
  const child = new AbortController();
  const heard: string[] = [];
  const onAbort = (): void => child.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let limit: Disposable | undefined;
  try {
    signal.throwIfAborted();
    const late = new Promise<never>((_, reject) => {
      child.signal.addEventListener("abort", () => reject(child.signal.reason), { once: true });
      limit = clock.timer(limitMs, () => child.abort(lateError(run, limitMs, heard.join(""))));
    });
    return await Promise.race([ask(run, child, (words) => void heard.push(words)), late]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof KfwdError ? error : pluginError(run, error);
  } finally {
    limit?.[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
  }
}

const NO_TERMINAL =
  "kfwd down, then kfwd up in a terminal and without -d: there the plugin may ask once, when it starts";

/** As KEP-541 says: a plugin that does not say is given a terminal that is there. */
function terminalOf({ exec, terminal }: PluginRun): Terminal | undefined {
  return exec.interactiveMode === "Never" ? undefined : terminal;
}

/** The command that renews the login behind a well-known plugin. */
export function loginHint(exec: ExecEntry): string | undefined {
  const command = basename(exec.command).replace(/\.exe$/, "");
  // Two tools have the name kubelogin, and one of them is also a plugin of kubectl.
  if (exec.args.some((arg) => arg === "oidc-login" || arg.startsWith("--oidc-"))) return OIDC_LOGIN;
  return LOGIN[command];
}

const OIDC_LOGIN = "kubectl auth whoami, which opens the login";

const LOGIN: Readonly<Record<string, string>> = {
  aws: "aws sso login",
  "aws-iam-authenticator": "aws sso login",
  "gke-gcloud-auth-plugin": "gcloud auth login",
  kubelogin: "az login",
  az: "az login",
  tsh: "tsh login",
  doctl: "doctl auth init",
};

async function ask(
  run: PluginRun,
  end: AbortController,
  hear: (words: string) => void,
): Promise<PluginAnswer> {
  const { exec, user, clock } = run;
  const auth = new ExecAuth();
  if (!("execFn" in auth)) throw new KfwdError("INTERNAL", "ExecAuth of client-node has changed");
  const answers: Record<string, unknown> = {};
  let exitStatus: number | null = 0;
  const terminal = terminalOf(run);
  const what = { exec, shownAs: nameOf(exec, user), env: pluginEnv(run), terminal, hear, clock, end };
  const execFn = (): ReturnType<typeof startPlugin> =>
    startPlugin(what).once("close", (status) => (exitStatus = status));
  // ExecAuth has no public way to limit its child or to learn when a credential expires; these two fields give both.
  Object.assign(auth, { execFn, tokenCache: answers });
  const options: RequestOptions = {};
  const asUser = { name: user, exec: { command: exec.command, args: exec.args } };
  try {
    await auth.applyAuthentication(asUser, options);
  } catch (thrown) {
    const isSilent = thrown instanceof Error && thrown.message.trim() === "";
    if (isSilent && exitStatus !== 0) throw silentError(run, exitStatus, thrown);
    throw thrown;
  }
  const applied = Applied.safeParse(options);
  const answer = Answer.safeParse(answers[user]);
  if (!applied.success || !answer.success) throw new SyntaxError("not an ExecCredential");
  const { cert, key, headers } = applied.data;
  const authorization = headers?.Authorization;
  if (authorization === undefined && cert === undefined) throw new SyntaxError("an empty ExecCredential");
  return { authorization, cert, key, expiresAtMs: parseTime(answer.data.status.expirationTimestamp) };
}

const Applied = z.object({
  cert: z.optional(z.string()),
  key: z.optional(z.string()),
  headers: z.optional(z.object({ Authorization: z.optional(z.string()) })),
});

const Answer = z.object({ status: z.object({ expirationTimestamp: z.optional(z.nullable(z.string())) }) });

/** The user's environment without what would steer a plugin written in Node, and with what KEP-541 adds. */
function pluginEnv(run: PluginRun): Record<string, string | undefined> {
  const { exec, cluster, server, ca, env } = run;
  const clusterInfo = {
    server: server.href,
    "tls-server-name": cluster.tlsServerName,
    "insecure-skip-tls-verify": cluster.skipTlsVerify || undefined,
    "proxy-url": cluster.proxyUrl,
    "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca).toString("base64"),
    config: cluster.execConfig,
  };
  const info = {
    kind: "ExecCredential",
    apiVersion: exec.apiVersion,
    spec: {
      cluster: exec.provideClusterInfo ? clusterInfo : undefined,
      interactive: terminalOf(run) !== undefined,
    },
  };
  return {
    ...env,
    NODE_OPTIONS: undefined,
    ...Object.fromEntries(exec.env.map(({ name, value }) => [name, value])),
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
}

/** `status` is null when a signal ended it. */
function silentError({ exec, user }: PluginRun, status: number | null, cause: unknown): KfwdError {
  const how = status === null ? "a signal ended it" : `exit status ${status}`;
  const message = `${nameOf(exec, user)} failed without a word (${how})`;
  return new KfwdError("CREDENTIALS", message, { hint: loginHint(exec), cause });
}

function nameOf(exec: ExecEntry, user: string): string {
  return `the credential plugin "${exec.command}" of user "${user}"`;
}

function pluginError({ exec, user }: PluginRun, thrown: unknown): KfwdError {
  const plugin = nameOf(exec, user);
  const fail = (message: string, hint = loginHint(exec), detail?: string): KfwdError =>
    new KfwdError("CREDENTIALS", message, { hint, detail, cause: thrown });
  if (isOutOfFiles(thrown)) {
    return new KfwdError("TOO_MANY_FILES", `${plugin} cannot be run: too many open files`, { cause: thrown });
  }
  if (thrown instanceof Error && "syscall" in thrown && "code" in thrown) {
    // The kubeconfig's own advice on how to get the plugin is the best there is.
    const what =
      thrown.code === "ENOENT" ? "is not installed, or not on PATH" : `cannot be run: ${fileTrouble(thrown)}`;
    return new PluginNotRun("CREDENTIALS", `${plugin} ${what}`, { hint: installHint(exec), cause: thrown });
  }
  if (thrown instanceof SyntaxError || thrown instanceof TypeError) {
    const hint = loginHint(exec) ?? "run it in a terminal to see what it prints";
    return fail(`${plugin} printed something that is not an ExecCredential`, hint);
  }
  const said = printable(thrown instanceof Error ? thrown.message : "");
  const words = lastWords(said);
  return fail(`${plugin} failed${words && `: ${words}`}`, undefined, said.join("\n") || undefined);
}

/** The last lines as one, as many as fit: the very last is often but half of what the plugin has to say. */
function lastWords(lines: readonly string[]): string {
  let words = "";
  for (const line of lines.toReversed()) {
    const longer = words === "" ? line : `${line} | ${words}`;
    if (longer.length > WORDS_MAX_CHARS) break;
    words = longer;
  }
  return words;
}

/** What it said meanwhile may be where to log in. */
function lateError({ exec, user }: PluginRun, limitMs: number, stderr: string): KfwdError {
  const words = lastWords(printable(stderr));
  const said = words && `; it said: ${words}`;
  const message = `${nameOf(exec, user)} gave no answer within ${limitMs / 1000} s${said}`;
  const hint = loginHint(exec) ?? "it may wait for somebody: log in with it in a terminal first";
  return new KfwdError("CREDENTIALS", message, { hint });
}

const INSTALL_HINT_MAX_CHARS = 300;

/** The kubeconfig's own advice, which may be several lines. */
function installHint({ command, installHint: given }: ExecEntry): string {
  if (given === undefined) return `install "${command}", or add its folder to PATH`;
  return given.trim().replaceAll(/\s+/g, " ").slice(0, INSTALL_HINT_MAX_CHARS);
}

/** More than ten whole lines, and no more than is looked at for secrets. */
const STDERR_MAX_CHARS = 4096;
const LINES_MAX = 10;
const LINE_MAX_CHARS = 300;
const WORDS_MAX_CHARS = 500;

/** The last lines of what a plugin wrote on stderr, without secrets and anything that could steer a terminal. */
export function printable(stderr: string): readonly string[] {
  // oxlint-disable-next-line no-control-regex -- escape sequences first, then what is left of control characters
  const plain = stderr.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
  // Before any line is cut: what a secret is told by may be in what is cut off.
  const lines = redactText(plain.slice(-STDERR_MAX_CHARS))
    .split(/\r?\n/)
    // oxlint-disable-next-line no-control-regex
    .map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim())
    .filter((line) => line !== "");
  return lines.slice(-LINES_MAX).map((line) => line.slice(0, LINE_MAX_CHARS));
}

function parseTime(timestamp: string | null | undefined): number | undefined {
  if (timestamp === null || timestamp === undefined) return undefined;
  // oxlint-disable-next-line no-restricted-globals -- reads a time that was written down, not the clock
  const ms = Date.parse(timestamp);
  return Number.isNaN(ms) ? undefined : ms;
}
