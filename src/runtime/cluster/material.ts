/** From a context of the kubeconfig to certificates and headers. */
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import * as z from "zod/mini";
import { errnoOf, fileTrouble, isOutOfFiles } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { NotAFile, readRegularFile } from "../../readfile.ts";
import type { Clock, Terminal } from "../deps.ts";
import type { Credentials } from "./access.ts";
import type { Connection } from "./kubeconfig.ts";
import type { UserEntry } from "./kubeconfigfile.ts";
import { OidcLogin, OidcTrouble } from "./oidc.ts";
import { runPlugin, type PluginAnswer } from "./plugin.ts";

/** What a context amounts to at the moment. Certificates and keys are PEM. */
export interface Material {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly headers: Credentials["headers"];
  /** What the plugin answered, where one was asked. */
  readonly answer: PluginAnswer | undefined;
}

/** What reading needs of the world. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where a plugin may ask a person. */
  readonly terminal: Terminal | undefined;
}

/** Reads the material of one context, as often as asked; keeps what an OIDC provider renewed in between. */
export class MaterialReader {
  #config: KubeConfig | undefined;
  #oidc: OidcLogin | undefined;
  #read: Connection | undefined;

  /** `answer` of the plugin still holds. @throws KfwdError `CREDENTIALS`, `KUBECONFIG_INVALID`. */
  async read(
    connection: Connection,
    around: Surroundings,
    answer: PluginAnswer | undefined,
  ): Promise<Material> {
    const { user, userName, cluster, server } = connection;
    const files = certificates(connection);
    const given = await this.#authorization(connection, around);
    const fixed = fileToken(connection) ?? given;
    const { exec } = user;
    const plugin =
      exec && fixed === undefined // as kubectl: a plugin is asked only where nothing else is given
        ? (answer ?? (await runPlugin({ exec, user: userName, cluster, server, ca: files.ca, ...around })))
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
      answer: plugin,
    };
  }

  /** Of static tokens, passwords and auth providers, as client-node applies them to a request. */
  async #authorization(connection: Connection, around: Surroundings): Promise<string | undefined> {
    const { user, cluster } = connection;
    if (this.#config === undefined || this.#read?.user !== user || this.#read.cluster !== cluster) {
      this.#config = clientNodeConfig(connection);
      this.#oidc = user.authProvider?.name === "oidc" ? new OidcLogin(user.authProvider.config) : undefined;
      this.#read = connection;
    }
    if (this.#oidc && user.token === undefined) return this.#ofOidc(this.#oidc, connection, around);
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      throw providerError(connection, error);
    }
    const { auth, headers } = Applied.parse(options);
    return auth === undefined ? headers?.Authorization : `Basic ${Buffer.from(auth).toString("base64")}`;
  }

  async #ofOidc(oidc: OidcLogin, connection: Connection, around: Surroundings): Promise<string> {
    try {
      return `Bearer ${await oidc.token(around)}`;
    } catch (error) {
      if (around.signal.aborted) throw around.signal.reason;
      throw providerError(connection, error);
    }
  }
}

const Applied = z.object({
  auth: z.optional(z.string()),
  headers: z.optional(z.object({ Authorization: z.optional(z.string()) })),
});

/** Data wins over a file. */
function certificates({
  cluster,
  clusterName,
  user,
  userName,
}: Connection): Pick<Material, "ca" | "cert" | "key"> {
  const ofUser = `user "${userName}"`;
  const ofCluster = `the authority of cluster "${clusterName}"`;
  const ca = pem(cluster.caData, cluster.caFile, ofCluster);
  // Node takes whatever is no PEM for an empty list, and then trusts nobody.
  if (ca !== undefined && !ca.includes("-----BEGIN")) {
    const message = `the kubeconfig has no certificate as ${ofCluster}: it is not PEM`;
    throw new KfwdError("KUBECONFIG_INVALID", message);
  }
  return {
    ca,
    cert: pem(user.certData, user.certFile, ofUser),
    key: pem(user.keyData, user.keyFile, ofUser),
  };
}

function pem(base64: string | undefined, path: string | undefined, whose: string): string | undefined {
  if (base64 !== undefined) return Buffer.from(base64, "base64").toString("utf8");
  if (path === undefined) return undefined;
  try {
    return readText(path);
  } catch (error) {
    throw unreadable(whose, path, error);
  }
}

/** One context in client-node's form. Plugins, files and impersonation are not in it: they need more care. */
function clientNodeConfig({ context, clusterName, server, userName, user }: Connection): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      {
        name: clusterName,
        server: server.href,
        // It refuses plain http otherwise; whether certificates are checked is not decided here.
        skipTLSVerify: server.protocol === "http:",
      },
    ],
    users: [
      {
        name: userName,
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
    const token = readText(user.tokenFile).trim();
    if (token !== "") return `Bearer ${token}`;
    if (user.token === undefined) throw new NotAFile("it is empty"); // as is one that is being written
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

function providerError({ user, userName }: Connection, cause?: unknown): KfwdError {
  const provider = user.authProvider?.name ?? "none";
  const why = cause instanceof OidcTrouble ? `: ${cause.message}` : "";
  const message = `cannot renew the login of user "${userName}" (auth provider "${provider}")${why}`;
  return new KfwdError("CREDENTIALS", message, { cause });
}

/** Far more than a bundle of authorities has. */
const FILE_MAX_BYTES = 16 * 1024 * 1024;

function readText(path: string): string {
  return readRegularFile(path, FILE_MAX_BYTES).toString("utf8");
}

function unreadable(whose: string, path: string, thrown: unknown): KfwdError {
  const message = `the kubeconfig names the file "${path}" for ${whose}: ${whyUnreadable(thrown)}`;
  return new KfwdError(isOutOfFiles(thrown) ? "TOO_MANY_FILES" : "KUBECONFIG_INVALID", message, {
    cause: thrown,
  });
}

function whyUnreadable(thrown: unknown): string {
  if (thrown instanceof NotAFile) return thrown.message;
  return errnoOf(thrown) === "ENOENT" ? "it does not exist" : `it cannot be read: ${fileTrouble(thrown)}`;
}
