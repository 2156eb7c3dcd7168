/** From a context of the kubeconfig to certificates and headers. */
import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import type { Credentials } from "./access.ts";
import type { Connection } from "./kubeconfig.ts";
import type { UserEntry } from "./kubeconfigfile.ts";
import { runPlugin } from "./plugin.ts";

/** What a context amounts to at the moment. Certificates and keys are PEM. */
export interface Material {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly headers: Credentials["headers"];
  /** Wall-clock milliseconds, where a plugin said so. */
  readonly expiresAtMs: number | undefined;
}

/** What reading needs of the world. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Reads the material of one context, as often as asked; keeps what an OIDC provider renewed in between. */
export class MaterialReader {
  #config: KubeConfig | undefined;
  #read: Connection | undefined;

  /** @throws KfwdError `CREDENTIALS`, `KUBECONFIG_INVALID`. */
  async read(connection: Connection, around: Surroundings): Promise<Material> {
    const { user, userName, cluster, server } = connection;
    const files = await this.#apply(connection);
    const fixed = fileToken(connection) ?? files.authorization;
    const { exec } = user;
    const plugin =
      exec && fixed === undefined // as kubectl: a plugin is asked only where nothing else is given
        ? await runPlugin({ exec, user: userName, cluster, server, ca: files.ca, ...around })
        : undefined;
    const authorization = fixed ?? plugin?.authorization;
    if (user.authProvider && authorization === undefined) throw providerError(connection);
    return {
      ca: files.ca,
      cert: plugin?.cert ?? files.cert,
      key: plugin?.key ?? files.key,
      headers: {
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...impersonation(user),
      },
      expiresAtMs: plugin?.expiresAtMs,
    };
  }

  /** Files, static tokens and auth providers, as client-node applies them to a request. */
  async #apply(
    connection: Connection,
  ): Promise<z.infer<typeof Applied> & { authorization: string | undefined }> {
    const { user, cluster } = connection;
    if (this.#config === undefined || this.#read?.user !== user || this.#read.cluster !== cluster) {
      this.#config = clientNodeConfig(connection);
      this.#read = connection;
    }
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      throw applyError(connection, error);
    }
    const applied = Applied.parse(options);
    const basic =
      applied.auth === undefined ? undefined : `Basic ${Buffer.from(applied.auth).toString("base64")}`;
    return { ...applied, authorization: basic ?? applied.headers?.Authorization };
  }
}

const pem = z.optional(
  z.pipe(
    z.union([z.string(), z.instanceof(Buffer)]),
    z.transform((bytes: string | Buffer) => bytes.toString()),
  ),
);

const Applied = z.object({
  ca: pem,
  cert: pem,
  key: pem,
  auth: z.optional(z.string()),
  headers: z.optional(z.object({ Authorization: z.optional(z.string()) })),
});

/** One context in client-node's form. Plugins, token files and impersonation are not in it: they need more care. */
function clientNodeConfig({ context, clusterName, cluster, server, userName, user }: Connection): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      {
        name: clusterName,
        server: server.href,
        caData: cluster.caData,
        caFile: cluster.caData === undefined ? cluster.caFile : undefined,
        // It refuses plain http otherwise; whether certificates are checked is not decided here.
        skipTLSVerify: server.protocol === "http:",
      },
    ],
    users: [
      {
        name: userName,
        certData: user.certData,
        certFile: user.certData === undefined ? user.certFile : undefined,
        keyData: user.keyData,
        keyFile: user.keyData === undefined ? user.keyFile : undefined,
        token: user.token,
        username: user.username,
        password: user.password ?? "",
        authProvider: user.authProvider && { ...user.authProvider, config: { ...user.authProvider.config } },
      },
    ],
    contexts: [{ name: context, cluster: clusterName, user: userName }],
    currentContext: context,
  });
  return config;
}

/** A token file wins over a token as long as it can be read (client-go `transport/round_trippers.go`). */
function fileToken({ user, userName }: Connection): string | undefined {
  if (user.tokenFile === undefined) return undefined;
  try {
    const token = readFileSync(user.tokenFile, "utf8").trim();
    if (token !== "") return `Bearer ${token}`;
  } catch (error) {
    if (user.token === undefined) throw unreadable(`the token of user "${userName}"`, user.tokenFile, error);
  }
  return undefined;
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonation({ impersonate }: UserEntry): Credentials["headers"] {
  const { user, uid, groups, extra } = impersonate;
  const extras = Object.entries(extra).map(
    ([key, values]) => [`Impersonate-Extra-${encodeURIComponent(key)}`, values] as const,
  );
  return {
    ...(user === undefined ? {} : { "Impersonate-User": user }),
    ...(uid === undefined ? {} : { "Impersonate-Uid": uid }),
    ...Object.fromEntries(
      [["Impersonate-Group", groups] as const, ...extras]
        .filter(([, values]) => values.length > 0)
        .map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]),
    ),
  };
}

function applyError(connection: Connection, thrown: unknown): KfwdError {
  const { userName, cluster, clusterName } = connection;
  if (thrown instanceof Error && "path" in thrown && "code" in thrown) {
    const path = String(thrown.path);
    const whose =
      path === cluster.caFile ? `the authority of cluster "${clusterName}"` : `user "${userName}"`;
    return unreadable(whose, path, thrown);
  }
  return providerError(connection, thrown);
}

function providerError({ user, userName }: Connection, cause?: unknown): KfwdError {
  const provider = user.authProvider?.name ?? "none";
  const message = `cannot renew the login of user "${userName}" (auth provider "${provider}")`;
  return new KfwdError("CREDENTIALS", message, { cause });
}

function unreadable(whose: string, path: string, thrown: unknown): KfwdError {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown error";
  const why = code === "ENOENT" ? "it does not exist" : `it cannot be read (${code})`;
  const message = `the kubeconfig names the file "${path}" for ${whose}: ${why}`;
  return new KfwdError("KUBECONFIG_INVALID", message, { cause: thrown });
}
