/**
 * The `oidc` auth provider of a kubeconfig: its ID token, renewed with the refresh token as client-go does it. That of
 * client-node cannot: it hands the issuer on as text where an URL is wanted, and knows no client secret.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import { readRegularFile } from "../../readfile.ts";
import type { Clock } from "../deps.ts";

/** Both questions together; nobody waits longer for a login. */
const LIMIT_MS = 30_000;

/** So much earlier than it expires: no request in flight meets its end. */
const RENEW_EARLY_MS = 60_000;

/** Answers have some KiB. */
const ANSWER_MAX_CHARS = 1024 * 1024;

/** What the provider says is shown cut to this. */
const WORDS_MAX_CHARS = 200;

/** Why there is no token; `message` is to stand after a colon. */
export class OidcTrouble extends Error {}

/** What asking needs of the world. */
export interface OidcAround {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Keeps what was renewed, for as long as the kubeconfig says the same. */
export class OidcLogin {
  readonly #config: Readonly<Record<string, string>>;
  #idToken: string | undefined;
  #refreshToken: string | undefined;

  constructor(config: Readonly<Record<string, string>>) {
    this.#config = config;
    this.#idToken = config["id-token"] || undefined;
    this.#refreshToken = config["refresh-token"] || undefined;
  }

  /** @throws OidcTrouble, or the signal's reason. */
  async token(around: OidcAround): Promise<string> {
    const { clock, signal } = around;
    const idToken = this.#idToken;
    if (idToken !== undefined && clock.wall() < expiryOf(idToken) - RENEW_EARLY_MS) return idToken;
    const limit = new AbortController();
    const late = new OidcTrouble(`its identity provider gave no answer within ${LIMIT_MS / 1000} s`);
    const timer = clock.timer(LIMIT_MS, () => limit.abort(late));
    const both = AbortSignal.any([signal, limit.signal]);
    try {
      return await this.#renew(both);
    } catch (thrown) {
      if (both.aborted) throw both.reason;
      if (thrown instanceof OidcTrouble) throw thrown;
      const words = thrown instanceof Error ? thrown.message : String(thrown);
      throw new OidcTrouble(`its identity provider cannot be asked: ${shorten(words)}`);
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** The refresh token may be good for one use; the answer has the next one then. */
  async #renew(signal: AbortSignal): Promise<string> {
    const {
      "idp-issuer-url": issuer,
      "client-id": clientId = "",
      "client-secret": secret = "",
    } = this.#config;
    if (issuer === undefined || this.#refreshToken === undefined) {
      throw new OidcTrouble("its ID token has expired, and the kubeconfig has nothing to renew it with");
    }
    const ask = { ca: this.#authority(), signal };
    const about = await exchange(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, ask);
    const provider = Discovery.safeParse(about.json);
    if (!provider.success) throw new OidcTrouble(`"${issuer}" is no identity provider (${about.status})`);
    const form = {
      grant_type: "refresh_token",
      refresh_token: this.#refreshToken,
      client_id: clientId,
      ...(secret === "" ? {} : { client_secret: secret }),
    };
    const answer = await exchange(provider.data.token_endpoint, { ...ask, form });
    const tokens = Tokens.safeParse(answer.json);
    if (!tokens.success) {
      const refusal = Refusal.safeParse(answer.json);
      const words = refusal.success ? (refusal.data.error_description ?? refusal.data.error) : undefined;
      throw new OidcTrouble(
        `its identity provider refuses to renew it (${answer.status})${words ? `: ${shorten(words)}` : ""}`,
      );
    }
    this.#idToken = tokens.data.id_token;
    this.#refreshToken = tokens.data.refresh_token ?? this.#refreshToken;
    return tokens.data.id_token;
  }

  #authority(): string | Buffer | undefined {
    const { "idp-certificate-authority-data": data, "idp-certificate-authority": path } = this.#config;
    if (data) return Buffer.from(data, "base64");
    return path ? readRegularFile(path, ANSWER_MAX_CHARS) : undefined;
  }
}

const Discovery = z.object({ token_endpoint: z.string() });
const Tokens = z.object({ id_token: z.string(), refresh_token: z.optional(z.string()) });
const Refusal = z.object({ error: z.string(), error_description: z.optional(z.string()) });
const Payload = z.object({ exp: z.number() });

/** Wall-clock milliseconds; one that does not say has expired, as for client-go. */
function expiryOf(idToken: string): number {
  const [, payload = ""] = idToken.split(".");
  const claims = Payload.safeParse(parsedJson(Buffer.from(payload, "base64url").toString("utf8")));
  return claims.success ? claims.data.exp * 1000 : Number.NEGATIVE_INFINITY;
}

interface Ask {
  readonly ca: string | Buffer | undefined;
  readonly signal: AbortSignal;
  /** To be posted; a GET without. */
  readonly form?: Readonly<Record<string, string>>;
}

function exchange(
  url: string,
  { ca, signal, form }: Ask,
): Promise<{ readonly status: number; readonly json: unknown }> {
  if (!URL.canParse(url)) throw new OidcTrouble(`"${url}" is not a URL`);
  const to = new URL(url);
  const body = form && new URLSearchParams(form).toString();
  const headers = {
    Accept: "application/json",
    ...(body === undefined ? {} : { "Content-Type": "application/x-www-form-urlencoded" }),
  };
  const options = { method: body === undefined ? "GET" : "POST", headers, signal, agent: false };
  return new Promise((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage): void => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_MAX_CHARS)
          answer.destroy(new OidcTrouble("its identity provider says too much"));
      });
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, json: parsedJson(text) }));
    };
    const sent =
      to.protocol === "http:"
        ? httpRequest(to, options, onAnswer)
        : httpsRequest(to, { ...options, ca, rejectUnauthorized: true }, onAnswer);
    sent.on("error", reject).end(body);
  });
}

function shorten(text: string): string {
  // oxlint-disable-next-line no-control-regex -- nothing that could steer a terminal
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
  return plain.length > WORDS_MAX_CHARS ? `${plain.slice(0, WORDS_MAX_CHARS)}…` : plain;
}
