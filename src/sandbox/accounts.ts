import { randomBytes } from "node:crypto";
import type { ApiCall } from "./apicall.ts";

/** What a user may do, as in RBAC; `*` stands for anything. A subresource is written `pods/portforward`. */
export interface Rule {
  readonly verbs: readonly string[];
  readonly resources: readonly string[];
  /** Default: all, and the cluster scope. */
  readonly namespaces?: readonly string[];
}

/** Who calls: a user by token, or nobody known. */
export interface Account {
  readonly name: string;
  readonly rules: readonly Rule[];
}

const ANONYMOUS: Account = { name: "system:anonymous", rules: [] };

/** The users of a sandbox, known by bearer token. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #tokens = new Map<string, string>();

  /** Adds a user, or gives a known one other rights. */
  set(name: string, rules: readonly Rule[]): void {
    this.#accounts.set(name, { name, rules });
    if (!this.#tokens.has(name)) this.renew(name);
  }

  /** The user's token; undefined for an unknown user. */
  token(name: string): string | undefined {
    return this.#tokens.get(name);
  }

  /** Gives the user another token; the old one is worth nothing from now on. */
  renew(name: string): string {
    const token = `${name}.${randomBytes(18).toString("base64url")}`;
    this.#tokens.set(name, token);
    return token;
  }

  /** By an Authorization header. Undefined for a token that nobody has. */
  authenticate(authorization: string | undefined): Account | undefined {
    if (authorization === undefined) return ANONYMOUS;
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    const name = [...this.#tokens].find(([, known]) => known === token)?.[0];
    return name === undefined ? undefined : this.#accounts.get(name);
  }
}

/** Whether the account may make the call. */
export function allows(
  { rules }: Account,
  call: Pick<ApiCall, "verb" | "resource" | "subresource" | "namespace">,
): boolean {
  const resource = call.subresource === undefined ? call.resource : `${call.resource}/${call.subresource}`;
  return rules.some(
    (rule) =>
      covers(rule.verbs, call.verb) &&
      covers(rule.resources, resource) &&
      (rule.namespaces === undefined || covers(rule.namespaces, call.namespace ?? "")),
  );
}

function covers(allowed: readonly string[], asked: string): boolean {
  return allowed.includes("*") || allowed.includes(asked);
}
