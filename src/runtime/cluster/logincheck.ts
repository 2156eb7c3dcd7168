/** What a kubeconfig's user logs in with, and how long that holds. Runs nothing. */
import { X509Certificate } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { basename, delimiter, join } from "node:path";
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import { readRegularFile } from "../../readfile.ts";
import type { UserEntry } from "./kubeconfigfile.ts";

/** A span of time on the wall clock, in milliseconds; what is not known is absent. */
export interface Validity {
  readonly what: "client certificate" | "token";
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/** What a user has, in words: `client certificate`, `plugin "aws"`. */
export function loginWords(user: UserEntry): string {
  const { exec, authProvider } = user;
  const kinds = [
    ...(exec === undefined ? [] : [`plugin "${basename(exec.command)}"`]),
    ...(authProvider === undefined ? [] : [`auth provider "${authProvider.name}"`]),
    ...((user.certData ?? user.certFile) === undefined ? [] : ["client certificate"]),
    ...(user.tokenFile === undefined ? [] : ["token file"]),
    ...(user.token === undefined ? [] : ["token"]),
    ...(user.username === undefined ? [] : ["name and password"]),
  ];
  return kinds.length === 0 ? "no credentials" : kinds.join(", ");
}

/** Whether the command would be found; one with a separator is a path. */
export function isOnPath(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
): boolean {
  const isPath = command.includes("/") || (platform === "win32" && command.includes("\\"));
  const folders = isPath ? [""] : (env["PATH"] ?? "").split(delimiter).filter(Boolean);
  const endings = platform === "win32" ? ["", ...(env["PATHEXT"] ?? ".EXE").split(";")] : [""];
  return folders.some((folder) => endings.some((ending) => isProgram(join(folder, `${command}${ending}`))));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Of the certificate and the token of the kubeconfig itself, as far as they can be read. */
export function validities({ certData, certFile, token, tokenFile }: UserEntry): readonly Validity[] {
  const cert = certData === undefined ? textOf(certFile) : Buffer.from(certData, "base64").toString("utf8");
  return [certificateValidity(cert), tokenValidity(textOf(tokenFile)?.trim() ?? token)].filter(
    (one) => one !== undefined,
  );
}

/** Undefined for what is no certificate. */
export function certificateValidity(pem: string | undefined): Validity | undefined {
  if (pem === undefined) return undefined;
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { what: "client certificate", ...span(parseTime(validFrom), parseTime(validTo)) };
  } catch {
    return undefined; // whoever uses it says what is wrong with it
  }
}

const Claims = z.object({ exp: z.optional(z.number()), nbf: z.optional(z.number()) });

/** Of a JSON web token; undefined for any other. */
export function tokenValidity(token: string | undefined): Validity | undefined {
  const claims = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token ?? "")?.[1];
  if (claims === undefined) return undefined;
  const parsed = Claims.safeParse(parsedJson(Buffer.from(claims, "base64url").toString("utf8")));
  if (!parsed.success) return undefined;
  const { exp, nbf } = parsed.data;
  return { what: "token", ...span(nbf && nbf * 1000, exp && exp * 1000) };
}

function span(fromMs: number | undefined, untilMs: number | undefined) {
  return { ...(fromMs !== undefined && { fromMs }), ...(untilMs !== undefined && { untilMs }) };
}

/** A time that was written down; undefined for what is none. */
export function parseTime(text: string): number | undefined {
  // oxlint-disable-next-line no-restricted-globals -- reads a time that was written down, not the clock
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

const FILE_MAX_BYTES = 1024 * 1024;

function textOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readRegularFile(path, FILE_MAX_BYTES).toString("utf8");
  } catch {
    return undefined; // whoever uses it says what is wrong with it
  }
}
