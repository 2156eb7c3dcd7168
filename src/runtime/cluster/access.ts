/** How to reach one API server as one user: what kubeconfig says, ready for a socket. */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { KfwdError } from "../../errors.ts";
import type { Intake } from "./intake.ts";
import type { Names } from "./names.ts";
import type { ProxyServer } from "./proxy.ts";

/** Material for the next dial. Secrets: it goes to the socket and the request, never to a log. */
export interface Credentials {
  /** Options for `tls.connect`, with `servername`, `rejectUnauthorized` and a shared `secureContext` set. */
  readonly tls: ConnectionOptions;
  /** `Authorization` and impersonation headers; a list stands for a header that is sent once per value. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** A socket that is ready for a request, and the credentials whose headers that request must carry. */
export interface Dialled {
  readonly socket: Socket;
  /** Where what it receives arrives. */
  readonly intake: Intake;
  readonly credentials: Credentials;
}

/** What the dials to a server amount to. */
export interface Reachability {
  /** Why a dial is of no use now. */
  readonly trouble: KfwdError | undefined;
  /** A dial came to nothing. */
  failed(thrown: unknown): void;
  /** A dial came about. */
  reached(): void;
}

/** One (kubeconfig, context): made once and shared by the REST client, the watches and the upgrades. */
export interface ApiAccess {
  readonly context: string;
  /** Name of the kubeconfig's user, for messages. */
  readonly user: string;
  /** Server URL, possibly with a path prefix; join paths by string, since `new URL` would drop the prefix. */
  readonly server: URL;
  /** Undefined where the server is dialled directly. */
  readonly proxy?: ProxyServer | undefined;
  /** Where its name leads; absent: as the system says at each dial. */
  readonly names?: Names;
  /** Whether it can be reached, as all who dial it found; absent: nobody keeps count. */
  readonly lookout?: Reachability;
  /** The command that renews the user's login, where the kubeconfig gives it away. */
  readonly loginHint?: string | undefined;
  /**
   * What the next dial needs; runs a credential plugin if the kubeconfig names one and its answer has expired.
   * @throws KfwdError `CREDENTIALS`, `KUBECONFIG_INVALID`.
   */
  credentials(signal: AbortSignal): Promise<Credentials>;
}

/** An access whose credentials can be given up. */
export interface RenewableAccess extends ApiAccess {
  /** The server refused these credentials (401): the next call gets new ones. Later calls with the same are ignored. */
  forget(refused: Credentials): void;
}
