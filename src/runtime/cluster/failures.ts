/**
 * What the network, TLS and the API server did to us, as errors and reasons: the only place that knows their codes.
 * Text is read in one case alone: who the server says we are, in a refusal by RBAC.
 */
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import { errnoOf, isOutOfFiles } from "../../errno.ts";
import { KfwdError, type ErrorCode } from "../../errors.ts";
import { unbracketed } from "../../hostport.ts";
import type { FailureKind, Reason } from "../core/status.ts";
import type { ApiAccess } from "./access.ts";
import { addressText } from "./proxy.ts";

/** The part of an {@link ApiAccess} that messages name. */
export type ApiName = Pick<ApiAccess, "context" | "user" | "server" | "loginHint" | "proxy">;

/** What a request was to do, in the words of RBAC: `list pods in namespace "shop"`. */
export interface ApiCall {
  readonly verb: string;
  /** Plural, with the subresource: `pods/portforward`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name?: string;
}

/** The API server answered, but not with what was asked for. Callers tell the cases apart by `status`. */
export class ApiRefusal extends KfwdError {
  /** HTTP status, or the `code` of a `Status` inside a watch. */
  readonly status: number;
  readonly kind: FailureKind;
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The server's own words, as far as it had any. */
  readonly said: string | undefined;

  constructor(
    refusal: Refusal & Pick<ApiRefusal, "status" | "retryAfterMs"> & { readonly said?: string | undefined },
  ) {
    super(refusal.code, refusal.message, { hint: refusal.hint });
    this.status = refusal.status;
    this.kind = refusal.kind;
    this.retryAfterMs = refusal.retryAfterMs;
    this.said = refusal.said;
  }
}

/** A failed dial, handshake or request as an error: `thrown` is what the socket said. */
export function dialFailure(access: ApiName, thrown: unknown): KfwdError {
  if (thrown instanceof KfwdError) return thrown;
  const code = errnoOf(thrown) ?? "";
  const reach = `cannot reach ${nameOf(access)}`;
  const fail = (kind: ErrorCode, message: string, hint?: string): KfwdError =>
    new KfwdError(kind, message, { hint, cause: thrown });

  if (/^ERR_SSL_.*_ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) {
    const message = `${nameOf(access)} refused the client certificate of user "${access.user}"`;
    return fail("CREDENTIALS", message, access.loginHint);
  }
  if (code.startsWith("HPE_")) {
    return fail("PROTOCOL", `${nameOf(access)} does not speak HTTP (${code})`, CHECK_SERVER);
  }
  if (code === "ERR_INVALID_CHAR") {
    return fail(
      "CREDENTIALS",
      `the credentials of user "${access.user}" hold a character that no header may have`,
    );
  }
  const { what, hint } = socketTrouble(thrown, hostOf(access));
  return fail(isOutOfFiles(thrown) ? "TOO_MANY_FILES" : "UNREACHABLE", `${reach}: ${what}`, hint);
}

/** Why a connection to `host` failed, or its TLS handshake. */
export function socketTrouble(
  thrown: unknown,
  host: string,
): { readonly what: string; readonly hint?: string } {
  const code = errnoOf(thrown) ?? "";
  const certificate = CERTIFICATE[code];
  if (certificate) return certificate;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return {
      what: `its certificate is for ${certificateNames(thrown)}, not for "${wantedName(thrown) ?? host}"`,
      hint: "set `tls-server-name` of this cluster in the kubeconfig to a name the certificate has",
    };
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_")) {
    return { what: `the TLS handshake failed (${code})`, hint: CHECK_SERVER };
  }
  if (code === "ENOTFOUND") return { what: `no address is known for "${host}"` };
  return {
    what: NETWORK[code] ?? (code === "" ? "the connection failed" : `the connection failed (${code})`),
  };
}

/** Whether a failed dial met a certificate that is not to be trusted: a login page, or something that intercepts TLS. */
export function isDistrust(error: KfwdError): boolean {
  const code = errnoOf(error.cause) ?? "";
  return code === "ERR_TLS_CERT_ALTNAME_INVALID" || Object.hasOwn(CERTIFICATE, code);
}

/** A server that let a deadline pass: `missing` says what did not come. */
export function deadlineFailure(access: ApiName, missing: string, deadlineMs: number): KfwdError {
  const message = `cannot reach ${nameOf(access)}: ${missing} within ${deadlineMs / 1000} s`;
  return new KfwdError("UNREACHABLE", message);
}

/** An answer that breaks the rules of the API: not JSON, cut short, too long. */
export function malformedAnswer(access: ApiName, what: string): KfwdError {
  return new KfwdError("PROTOCOL", `${nameOf(access)} sent ${what}`, {
    hint: "is a proxy or a login page in between?",
  });
}

/** An HTTP status other than success. `body` may be a `Status` in JSON, any other text, or empty. */
export function answerFailure(
  access: ApiName,
  status: number,
  body: string,
  call: ApiCall,
  retryAfter?: string,
): ApiRefusal {
  return statusFailure(access, status, parsedJson(body), call, retryAfter);
}

/** The same for a `Status` that is already parsed, as an ERROR event of a watch carries it. */
export function statusFailure(
  access: ApiName,
  status: number,
  body: unknown,
  call: ApiCall,
  retryAfter?: string,
): ApiRefusal {
  const parsed = Status.safeParse(body);
  const told: StatusBody = parsed.success ? parsed.data : {};
  const code = status === 200 ? (told.code ?? 500) : status;
  const seconds = Number(retryAfter ?? told.details?.retryAfterSeconds ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  const said = told.message;
  return new ApiRefusal({ ...refusalOf(access, code, told, call), status: code, retryAfterMs, said });
}

/** Any failure of this room as `status` shows it; an unforeseen one keeps the code INTERNAL. */
export function reasonOf(thrown: unknown): Reason {
  const error = KfwdError.from(thrown);
  const kind = error instanceof ApiRefusal ? error.kind : (KIND[error.code] ?? "transient");
  const reason = { code: error.reasonCode, kind, message: error.message };
  return error.hint === undefined ? reason : { ...reason, hint: error.hint };
}

/** The server as messages name it: its URL without path, the context that led there, and the proxy in between. */
export function nameOf({ server, context, proxy }: Pick<ApiName, "server" | "context" | "proxy">): string {
  return `${server.origin} (context "${context}")${proxy ? ` through proxy ${addressText(proxy)}` : ""}`;
}

interface Refusal {
  readonly code: ErrorCode;
  readonly kind: FailureKind;
  readonly message: string;
  readonly hint?: string | undefined;
}

function refusalOf(access: ApiName, status: number, told: StatusBody, call: ApiCall): Refusal {
  const context = `(context "${access.context}")`;
  const deed = `${call.verb} ${call.resource} in namespace "${call.namespace}"`;
  const said = told.message === undefined ? "" : `: ${shorten(told.message)}`;
  if (status === 401) {
    const message = `the cluster refused the credentials of user "${access.user}" (401, context "${access.context}")`;
    return { code: "UNAUTHORIZED", kind: "denied", message, hint: access.loginHint };
  }
  if (status === 403) {
    const rbac = told.message === undefined || DENIED_BY_RBAC.test(told.message);
    const user = DENIED_BY_RBAC.exec(told.message ?? "")?.[1] ?? access.user;
    const message = rbac
      ? `user "${user}" may not ${deed} ${context}`
      : `the cluster does not let user "${user}" ${deed} ${context}${said}`;
    const unknown = `log in to your cluster again: it took user "${access.user}" of the kubeconfig for nobody`;
    const hint = user === "system:anonymous" ? (access.loginHint ?? unknown) : undefined;
    return { code: "FORBIDDEN", kind: "denied", message, hint };
  }
  if (status === 404 && call.name !== undefined) {
    const thing = call.resource.replace(/s?(\/.*)?$/, "");
    const message = `${thing} "${call.name}" not found in namespace "${call.namespace}" ${context}`;
    return { code: "CLUSTER_ANSWER", kind: "gone", message };
  }
  if (status === 404) {
    const message = `${nameOf(access)} knows no ${call.resource} (404)`;
    return { code: "CLUSTER_ANSWER", kind: "unreachable", message, hint: CHECK_SERVER };
  }
  if (status === 429) {
    const message = `the API server is too busy to ${deed} (429, context "${access.context}")`;
    return { code: "CLUSTER_ANSWER", kind: "transient", message };
  }
  const answered = `answered ${status} to "${call.verb} ${call.resource}"`;
  const isStranger = status < 500 && told.message === undefined;
  if (isStranger && call.name === undefined) {
    const message = `${nameOf(access)} ${answered}, as no API server does`;
    const hint = status === 400 && access.server.protocol === "http:" ? WANTS_HTTPS : CHECK_SERVER;
    return { code: "CLUSTER_ANSWER", kind: "unreachable", message, hint };
  }
  const message = `the API server ${answered} in namespace "${call.namespace}" ${context}${said}`;
  return { code: "CLUSTER_ANSWER", kind: "transient", message, hint: isStranger ? CHECK_SERVER : undefined };
}

/** The parts of a `Status` that are read; Go writes null for absent details. */
const Status = z.object({
  code: z.optional(z.number()),
  message: z.optional(z.string()),
  details: z.optional(z.nullable(z.object({ retryAfterSeconds: z.optional(z.number()) }))),
});
type StatusBody = z.infer<typeof Status>;

/** apiserver `pkg/endpoints/handlers/responsewriters/errors.go`, forbiddenMessage. */
const DENIED_BY_RBAC = /\bUser "([^"]*)" cannot /;

const CHECK_SERVER = "check `server` of this cluster in the kubeconfig";
const WANTS_HTTPS = "write https:// in `server` of this cluster in the kubeconfig";
const CHECK_CLOCK =
  "check the clock of this machine; otherwise the certificate of the cluster must be renewed";
const CHECK_AUTHORITY =
  "get the cluster's kubeconfig anew, or find out whether something intercepts TLS on the way";

/** A certificate whose chain ends nowhere. */
export const UNTRUSTED = {
  what: "its certificate is signed by an authority that the kubeconfig does not trust",
  hint: CHECK_AUTHORITY,
};

const CERTIFICATE: Readonly<Record<string, { readonly what: string; readonly hint: string }>> = {
  CERT_HAS_EXPIRED: { what: "its certificate has expired", hint: CHECK_CLOCK },
  CERT_NOT_YET_VALID: { what: "its certificate is not valid yet", hint: CHECK_CLOCK },
  CERT_REVOKED: { what: "its certificate has been revoked", hint: CHECK_AUTHORITY },
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  INVALID_CA: UNTRUSTED,
};

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  ECONNABORTED: "the connection was cut off",
  EPIPE: "the connection was cut off",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "no route to the host",
  EHOSTDOWN: "the host is down",
  ENETUNREACH: "no route to the network",
  ENETDOWN: "the network is down",
  EAI_AGAIN: "the name server does not answer",
  EADDRNOTAVAIL: "this machine has no address to dial from",
  EMFILE: "this process has no file descriptor left",
  ENFILE: "this machine has no file descriptor left",
};

const KIND: Readonly<Partial<Record<ErrorCode, FailureKind>>> = {
  UNREACHABLE: "unreachable",
  UNAUTHORIZED: "denied",
  FORBIDDEN: "denied",
  CREDENTIALS: "denied",
  KUBECONFIG_MISSING: "denied",
  KUBECONFIG_INVALID: "denied",
  CONTEXT_UNKNOWN: "denied",
  PROTOCOL: "protocol",
};

function hostOf(access: ApiName): string {
  return unbracketed(access.server.hostname);
}

const AltNameError = z.object({ cert: z.object({ subjectaltname: z.string() }) });
const NAMES_SHOWN = 3;

/** The name that was looked for: not the host where the kubeconfig has a `tls-server-name`. */
function wantedName(thrown: unknown): string | undefined {
  return thrown instanceof Error && "host" in thrown && typeof thrown.host === "string"
    ? thrown.host
    : undefined;
}

/** The first names of a certificate, from the form `DNS:kubernetes, IP Address:10.0.0.1`. */
function certificateNames(thrown: unknown): string {
  const parsed = AltNameError.safeParse(thrown);
  const names = parsed.success ? parsed.data.cert.subjectaltname.split(", ") : [];
  if (names.length === 0) return "another host";
  const shown = names.slice(0, NAMES_SHOWN).map((name) => `"${shorten(name.replace(/^[A-Za-z ]+:/, ""))}"`);
  return names.length > NAMES_SHOWN ? `${shown.join(", ")} and others` : shown.join(", ");
}

const TEXT_MAX = 300;

function shorten(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}
