/** Finds and merges kubeconfig files as kubectl does, and says where a context leads. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { KfwdError } from "../../errors.ts";
import { hostPort } from "../../hostport.ts";
import { shellWord } from "../../shellword.ts";
import { suggestFrom } from "../../suggest.ts";
import { lookAtKubeconfig, parseKubeconfig, readKubeconfigFile } from "./kubeconfigfile.ts";
import type { ClusterEntry, ContextEntry, KubeconfigFile, UserEntry } from "./kubeconfigfile.ts";
import { chooseProxy, type ProxyServer } from "./proxy.ts";

/** Where to look. */
export interface KubeconfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** Where a pod finds its service account; only tests name another one. */
  readonly serviceAccountFolder?: string;
}

/** A context with the cluster and user it names. */
export interface Connection {
  readonly context: string;
  /** Undefined where the context leaves it open. */
  readonly namespace: string | undefined;
  readonly server: URL;
  /** Undefined where the server is dialled directly. */
  readonly proxy: ProxyServer | undefined;
  readonly clusterName: string;
  readonly cluster: ClusterEntry;
  /** Empty for an anonymous user. */
  readonly userName: string;
  readonly user: UserEntry;
}

/** Reads files anew only when they changed on disk; unchanged entries stay the same objects. */
export class Kubeconfigs {
  readonly #sources: KubeconfigSources;
  readonly #files = new Map<string, { readonly stamp: string; readonly file: KubeconfigFile }>();
  #inCluster: KubeconfigFile | undefined;

  constructor(sources: KubeconfigSources) {
    this.#sources = sources;
  }

  /**
   * What a context says; without a name the current one. `path` undefined: `$KUBECONFIG`, else `~/.kube/config`,
   * else the service account of the pod this runs in.
   * @throws KfwdError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID`, `CONTEXT_UNKNOWN`; `UNREACHABLE` when the
   * environment names a proxy that cannot be one.
   */
  connection(path: string | undefined, contextName: string | undefined): Connection {
    const merged = this.#read(path);
    const name = contextName ?? merged.currentContext;
    const contexts = [...merged.contexts.keys()];
    if (name === undefined) {
      throw new KfwdError(
        "CONTEXT_UNKNOWN",
        `no context is given, and "${merged.path}" sets no current-context`,
        {
          hint:
            contexts[0] === undefined ? undefined : `kubectl config use-context ${shellWord(contexts[0])}`,
        },
      );
    }
    const context = merged.contexts.get(name);
    if (context === undefined) {
      throw new KfwdError("CONTEXT_UNKNOWN", `context "${name}" not found in "${merged.path}"`, {
        hint: suggestFrom(name, contexts, "contexts"),
      });
    }
    return connectionOf(merged, name, context, this.#sources.env);
  }

  #read(path: string | undefined): KubeconfigFile {
    if (path !== undefined) {
      const file = this.#file(path);
      if (file) return file;
      throw new KfwdError("KUBECONFIG_MISSING", `kubeconfig "${path}" does not exist`, {
        hint: "name another one, or none to use $KUBECONFIG or ~/.kube/config",
      });
    }
    const paths = this.#defaultPaths();
    const files = paths.map((p) => this.#file(p)).filter((file) => file !== undefined);
    const merged = merge(files);
    if (merged !== undefined && merged.contexts.size > 0) return merged;
    this.#inCluster ??= inClusterFile(this.#sources);
    if (this.#inCluster) return this.#inCluster;
    if (merged !== undefined) return merged;
    throw new KfwdError("KUBECONFIG_MISSING", this.#whyMissing(paths));
  }

  #defaultPaths(): readonly string[] {
    const listed = this.#sources.env["KUBECONFIG"];
    if (!listed) return [join(this.#sources.home, ".kube", "config")];
    const paths = listed.split(delimiter).filter((path) => path !== "");
    return [...new Set(paths.map((path) => resolve(path)))];
  }

  #whyMissing(paths: readonly string[]): string {
    if (!this.#sources.env["KUBECONFIG"]) {
      return `no kubeconfig: $KUBECONFIG is empty and "${paths.join("")}" does not exist`;
    }
    const [first = "", ...more] = paths.map((path) => `"${path}"`);
    return more.length === 0
      ? `no kubeconfig: $KUBECONFIG names ${first}, which does not exist`
      : `no kubeconfig: $KUBECONFIG names ${[first, ...more].join(", ")}, none of which exists`;
  }

  /** Undefined when there is no such file. */
  #file(path: string): KubeconfigFile | undefined {
    const stat = lookAtKubeconfig(path);
    if (stat === undefined) return undefined;
    const stamp = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}`;
    const known = this.#files.get(path);
    if (known?.stamp === stamp) return known.file;
    const file = readKubeconfigFile(path);
    this.#files.set(path, { stamp, file });
    return file;
  }
}

/** The first definition of a name wins, and the first file that sets a current-context. */
function merge(files: readonly KubeconfigFile[]): KubeconfigFile | undefined {
  if (files.length <= 1) return files[0];
  const firstWins = <T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> =>
    new Map(maps.toReversed().flatMap((map) => [...map]));
  return {
    path: files.map((file) => file.path).join(delimiter),
    currentContext: files.find((file) => file.currentContext !== undefined)?.currentContext,
    contexts: firstWins(files.map((file) => file.contexts)),
    clusters: firstWins(files.map((file) => file.clusters)),
    users: firstWins(files.map((file) => file.users)),
  };
}

function connectionOf(
  merged: KubeconfigFile,
  context: string,
  entry: ContextEntry,
  env: KubeconfigSources["env"],
): Connection {
  const invalid = (what: string, hint?: string): KfwdError =>
    new KfwdError("KUBECONFIG_INVALID", `context "${context}" of "${merged.path}" ${what}`, { hint });
  const { cluster: clusterName, user: userName, namespace } = entry;
  if (clusterName === undefined) throw invalid("names no cluster");
  const cluster = merged.clusters.get(clusterName);
  if (cluster === undefined) throw invalid(`names cluster "${clusterName}", which is not defined`);
  const user = userName === undefined ? ANONYMOUS : merged.users.get(userName);
  if (user === undefined) throw invalid(`names user "${userName}", which is not defined`);
  const server = serverUrl(cluster);
  if (server === undefined) {
    throw invalid(
      cluster.server === undefined
        ? `names cluster "${clusterName}", which has no server`
        : `names cluster "${clusterName}", whose server "${redacted(cluster.server)}" is not an http or https URL`,
    );
  }
  const choice = chooseProxy({ server, proxyUrl: cluster.proxyUrl, env });
  if (choice.kind === "invalid") {
    const { source, what } = choice;
    if (source === "proxy-url") throw invalid(`names cluster "${clusterName}", whose \`proxy-url\` ${what}`);
    const message = `cannot reach ${server.origin} (context "${context}"): ${source} ${what}`;
    throw new KfwdError("UNREACHABLE", message, {
      hint: `correct ${source}, or name the server in NO_PROXY`,
    });
  }
  const proxy = choice.kind === "proxy" ? choice.proxy : undefined;
  return { context, namespace, server, proxy, clusterName, cluster, userName: userName ?? "", user };
}

/** As client-go reads it: without a scheme it is https as soon as anything about TLS is set. */
function serverUrl(cluster: ClusterEntry): URL | undefined {
  const { server, caData, caFile, tlsServerName, skipTlsVerify } = cluster;
  if (server === undefined) return undefined;
  const usesTls = (caData ?? caFile ?? tlsServerName) !== undefined || skipTlsVerify;
  const text = server.includes("://") ? server : `${usesTls ? "https" : "http"}://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" || url?.protocol === "http:" ? url : undefined;
}

/** A URL for a message: whatever might be a password is cut out. */
function redacted(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//…@");
}

const ANONYMOUS: UserEntry = {
  certData: undefined,
  certFile: undefined,
  keyData: undefined,
  keyFile: undefined,
  token: undefined,
  tokenFile: undefined,
  username: undefined,
  password: undefined,
  impersonate: { user: undefined, uid: undefined, groups: [], extra: {} },
  exec: undefined,
  authProvider: undefined,
};

const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The context kfwd sees inside a pod that has no kubeconfig, written as a kubeconfig so that it takes the same way. */
function inClusterFile(sources: KubeconfigSources): KubeconfigFile | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = sources.env;
  const folder = sources.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  const tokenFile = join(folder, "token");
  if (!host || !port || !existsSync(tokenFile)) return undefined;
  const caFile = join(folder, "ca.crt");
  const name = "in-cluster";
  const server = `https://${hostPort(host, port)}`;
  const namespace = readNamespace(join(folder, "namespace"));
  const asKubeconfig = {
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    clusters: [{ name, cluster: { server, "certificate-authority": caFile } }],
    users: [{ name, user: { tokenFile } }],
  };
  return parseKubeconfig(JSON.stringify(asKubeconfig), "the service account of this pod");
}

function readNamespace(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined; // a pod without it still has a token
  }
}
