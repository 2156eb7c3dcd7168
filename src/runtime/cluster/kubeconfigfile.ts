/** One kubeconfig file: text in, checked data with absolute paths out. */
import type { Stats } from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { load } from "js-yaml";
import * as z from "zod/mini";
import { fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { NotAFile, readRegularFile, statIfThere } from "../../readfile.ts";

export interface ClusterEntry {
  /** As written: possibly without a scheme, possibly with a path. */
  readonly server: string | undefined;
  /** Base64 of PEM; wins over `caFile`. */
  readonly caData: string | undefined;
  readonly caFile: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly skipTlsVerify: boolean;
  readonly proxyUrl: string | undefined;
  /** What the kubeconfig has for credential plugins of this cluster (KEP-541). */
  readonly execConfig: unknown;
}

export interface ExecEntry {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string | undefined;
  readonly interactiveMode: string | undefined;
  readonly provideClusterInfo: boolean;
}

export interface UserEntry {
  /** Base64 of PEM; wins over the file. */
  readonly certData: string | undefined;
  readonly certFile: string | undefined;
  readonly keyData: string | undefined;
  readonly keyFile: string | undefined;
  readonly token: string | undefined;
  /** Read again and again, since others renew it; wins over `token` while it can be read. */
  readonly tokenFile: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly impersonate: {
    readonly user: string | undefined;
    readonly uid: string | undefined;
    readonly groups: readonly string[];
    readonly extra: Readonly<Record<string, readonly string[]>>;
  };
  readonly exec: ExecEntry | undefined;
  readonly authProvider:
    | { readonly name: string; readonly config: Readonly<Record<string, string>> }
    | undefined;
}

export interface ContextEntry {
  readonly cluster: string | undefined;
  readonly user: string | undefined;
  readonly namespace: string | undefined;
}

/** What one file says. Of two entries with one name the first counts, as for kubectl. */
export interface KubeconfigFile {
  readonly path: string;
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
}

/** A kubeconfig with many clusters has some hundred KiB; more than this is another file. */
const FILE_MAX_BYTES = 16 * 1024 * 1024;

/** Undefined where there is no such file. @throws KfwdError `KUBECONFIG_INVALID` where nobody can tell. */
export function lookAtKubeconfig(path: string): Stats | undefined {
  try {
    return statIfThere(path);
  } catch (thrown) {
    throw invalid(path, `cannot be read: ${fileTrouble(thrown)}`, thrown);
  }
}

/** @throws KfwdError `KUBECONFIG_INVALID` that names the file and what is wrong in it. */
export function readKubeconfigFile(path: string): KubeconfigFile {
  let bytes: Buffer;
  try {
    bytes = readRegularFile(path, FILE_MAX_BYTES + 1);
  } catch (error) {
    const why = error instanceof NotAFile ? error.message : fileTrouble(error);
    throw invalid(path, `cannot be read: ${why}`, error);
  }
  if (bytes.length > FILE_MAX_BYTES) throw invalid(path, "is longer than 16 MiB, which is no kubeconfig");
  return parseKubeconfig(bytes.toString("utf8"), path);
}

/** @throws KfwdError `KUBECONFIG_INVALID` that names the file and what is wrong in it. */
export function parseKubeconfig(text: string, path: string): KubeconfigFile {
  const parsed = File.safeParse(isBlank(text) ? {} : (parseYaml(text, path) ?? {}));
  if (!parsed.success) {
    const where = placeOf(parsed.error.issues[0]?.path ?? []);
    const what = where === "" ? "it is no map" : `${where} is missing or not of the right type`;
    throw invalid(path, `is not a kubeconfig: ${what}`);
  }
  const file = parsed.data;
  const absolute = (to: string | undefined): string | undefined =>
    to === undefined || isAbsolute(to) ? to : join(dirname(path), to);
  return {
    path,
    currentContext: file["current-context"],
    contexts: firstByName(file.contexts, (entry) => entry.context ?? Context.parse({})),
    clusters: firstByName(file.clusters, (entry) => clusterOf(entry.cluster ?? Cluster.parse({}), absolute)),
    users: firstByName(file.users, (entry) => userOf(entry.user ?? User.parse({}), absolute)),
  };
}

/** Nothing but comments, which the YAML library takes for a mistake and kubectl for a kubeconfig without contexts. */
function isBlank(text: string): boolean {
  return text.split("\n").every((line) => /^\s*(?:#|$)/.test(line));
}

function parseYaml(text: string, path: string): unknown {
  try {
    return load(text, { filename: path });
  } catch (error) {
    const mark = YamlError.safeParse(error);
    const where = mark.success
      ? ` (line ${mark.data.mark.line + 1}, column ${mark.data.mark.column + 1})`
      : "";
    throw invalid(path, `is not valid YAML${where}`, error);
  }
}

const YamlError = z.object({ mark: z.object({ line: z.number(), column: z.number() }) });

function clusterOf(raw: z.infer<typeof Cluster>, absolute: Absolute): ClusterEntry {
  return {
    server: raw.server,
    caData: raw["certificate-authority-data"],
    caFile: absolute(raw["certificate-authority"]),
    tlsServerName: raw["tls-server-name"],
    skipTlsVerify: raw["insecure-skip-tls-verify"],
    proxyUrl: raw["proxy-url"],
    execConfig: raw.extensions.find((e) => e.name === "client.authentication.k8s.io/exec")?.extension,
  };
}

function userOf(raw: z.infer<typeof User>, absolute: Absolute): UserEntry {
  return {
    certData: raw["client-certificate-data"],
    certFile: absolute(raw["client-certificate"]),
    keyData: raw["client-key-data"],
    keyFile: absolute(raw["client-key"]),
    token: raw.token,
    tokenFile: absolute(raw.tokenFile),
    username: raw.username,
    password: raw.password,
    impersonate: {
      user: raw.as,
      uid: raw["as-uid"],
      groups: raw["as-groups"],
      extra: raw["as-user-extra"],
    },
    exec: raw.exec && execOf(raw.exec, absolute),
    authProvider: raw["auth-provider"],
  };
}

function execOf(raw: z.infer<typeof Exec>, absolute: Absolute): ExecEntry {
  // As in a shell: a plain name is looked up on PATH, anything with a separator is a path.
  const isPath = raw.command.includes("/") || raw.command.includes(sep);
  return {
    apiVersion: raw.apiVersion,
    command: isPath ? (absolute(raw.command) ?? raw.command) : raw.command,
    args: raw.args,
    env: raw.env,
    installHint: raw.installHint,
    interactiveMode: raw.interactiveMode,
    provideClusterInfo: raw.provideClusterInfo,
  };
}

type Absolute = (path: string | undefined) => string | undefined;

function firstByName<Raw extends { readonly name: string }, Entry>(
  list: readonly Raw[],
  read: (raw: Raw) => Entry,
): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const raw of list) if (!entries.has(raw.name)) entries.set(raw.name, read(raw));
  return entries;
}

/** Whatever YAML takes a plain word for (`123`, `true`), the kubeconfig means its text. */
const text = z.pipe(z.union([z.string(), z.number(), z.boolean()]), z.transform(String));

/** Text that may be absent, null or empty: all the same to kubectl. */
const maybeText = z.pipe(
  z.nullish(text),
  z.transform((value: string | null | undefined) => (value === "" ? undefined : (value ?? undefined))),
);

const flag = z.pipe(
  z.nullish(z.boolean()),
  z.transform((value: boolean | null | undefined) => value === true),
);

/** A list, a map or a part that may be absent or null, with what stands for it then. */
function orElse<Part extends z.ZodMiniType, Else>(part: Part, otherwise: Else) {
  type Given = z.output<Part> | null | undefined;
  return z.pipe(
    z.nullish(part),
    z.transform((given: Given): z.output<Part> | Else => given ?? otherwise),
  );
}

const Exec = z.object({
  apiVersion: text,
  command: text,
  args: orElse(z.array(text), []),
  env: orElse(z.array(z.object({ name: text, value: text })), []),
  installHint: maybeText,
  interactiveMode: maybeText,
  provideClusterInfo: flag,
});

const Cluster = z.object({
  server: maybeText,
  "certificate-authority": maybeText,
  "certificate-authority-data": maybeText,
  "tls-server-name": maybeText,
  "insecure-skip-tls-verify": flag,
  "proxy-url": maybeText,
  extensions: orElse(z.array(z.object({ name: text, extension: z.unknown() })), []),
});

const AuthProvider = z.object({ name: text, config: orElse(z.record(z.string(), text), {}) });

const User = z.object({
  "client-certificate": maybeText,
  "client-certificate-data": maybeText,
  "client-key": maybeText,
  "client-key-data": maybeText,
  token: maybeText,
  tokenFile: maybeText,
  username: maybeText,
  password: maybeText,
  as: maybeText,
  "as-uid": maybeText,
  "as-groups": orElse(z.array(text), []),
  "as-user-extra": orElse(z.record(z.string(), z.array(text)), {}),
  exec: orElse(Exec, undefined),
  "auth-provider": orElse(AuthProvider, undefined),
});

const Context = z.object({ cluster: maybeText, user: maybeText, namespace: maybeText });

const File = z.object({
  "current-context": maybeText,
  contexts: orElse(z.array(z.object({ name: text, context: orElse(Context, undefined) })), []),
  clusters: orElse(z.array(z.object({ name: text, cluster: orElse(Cluster, undefined) })), []),
  users: orElse(z.array(z.object({ name: text, user: orElse(User, undefined) })), []),
});

/** `users[0].user.exec`; empty for the file itself. */
function placeOf(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return text.replace(/^\./, "");
}

function invalid(path: string, what: string, cause?: unknown): KfwdError {
  return new KfwdError("KUBECONFIG_INVALID", `kubeconfig "${path}" ${what}`, { cause });
}
