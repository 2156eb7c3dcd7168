/** A .env has no way to write every value: better none than another, or one that runs where a shell sources it. */
import { parseEnv } from "node:util";
import { KfwdError } from "../errors.ts";
import { fitsDotenv } from "./render/shells.ts";

/** @throws KfwdError `CONFIG_INVALID` where the text of a .env does not say what the variables do. */
export function refuseUnfit(text: string, variables: ReadonlyMap<string, string>): void {
  const read = parseEnv(text);
  const lost = [...variables].find(([name, value]) => read[name] !== value || !fitsDotenv(value));
  if (lost === undefined) return;
  throw new KfwdError("CONFIG_INVALID", `a .env file cannot hold the value of ${lost[0]}`, {
    hint: "JSON holds any value: --shell json of `kfwd env`, -o json of `kfwd config`",
  });
}
