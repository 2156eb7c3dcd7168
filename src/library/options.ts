/** What programs without a compiler hand over as options. */
import { isPlainMap } from "../plain.ts";
import { KfwdError } from "../errors.ts";
import { quoted, shown } from "../printable.ts";
import { suggestFrom } from "../suggest.ts";
import type { UpOptions } from "./api.ts";

interface Kind {
  readonly what: string;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === "string";
const isList = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

/** Of whichever realm: some test runners run tests in one of their own. */
const isSignal = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value;

const TEXT: Kind = { what: "text", fits: isText };
const LIST: Kind = { what: "a list of texts", fits: isList };
const TEXTS: Kind = { what: "text or a list of texts", fits: (value) => isText(value) || isList(value) };
const FLAG: Kind = { what: "true or false", fits: (value) => typeof value === "boolean" };

const KINDS: Readonly<Record<keyof UpOptions, Kind>> = {
  cwd: TEXT,
  file: TEXTS,
  names: LIST,
  env: TEXT,
  profiles: LIST,
  project: TEXT,
  context: TEXT,
  namespace: TEXT,
  kubeconfig: TEXT,
  dotenv: TEXTS,
  local: FLAG,
  allowContexts: LIST,
  allowMetadata: LIST,
  trust: FLAG,
  variables: { what: "a map of variables", fits: isPlainMap },
  waitTimeout: {
    what: "milliseconds or text such as 90s",
    fits: (value) => isText(value) || typeof value === "number",
  },
  signal: { what: "an AbortSignal", fits: isSignal },
};

/** @throws KfwdError `USAGE` for the first option that is not known, or of another kind than its type says. */
export function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const hint = 'up({ names: ["api"] })';
    throw new KfwdError("USAGE", `options must be an object, got ${shown(options)}`, { hint });
  }
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.entries(KINDS).find(([known]) => known === name)?.[1];
    if (kind === undefined) {
      const hint = suggestFrom(name, Object.keys(KINDS), "known");
      throw new KfwdError("USAGE", `unknown option ${quoted(name)}`, { hint });
    }
    if (value === undefined || kind.fits(value)) continue;
    throw new KfwdError("USAGE", `option ${name} must be ${kind.what}, got ${shown(value)}`, {
      hint: "see UpOptions in the types of kfwd",
    });
  }
}
