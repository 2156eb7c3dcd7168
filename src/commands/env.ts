/** `kfwd env`: the forwards' addresses as variables, for a shell, a .env or a CI job. Asks no cluster. */
import { randomUUID } from "node:crypto";
import { KfwdError } from "../errors.ts";
import { either } from "../printable.ts";
import { refuseUnfit } from "./dotenv.ts";
import { allVariables } from "../schema/exports.ts";
import { locate } from "./located.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import { shellOf, SHELLS, variablesText, type Shell } from "./render/shells.ts";
import { waitFirst, type WaitFirstFlags } from "./waitfirst.ts";
import type { World } from "./world.ts";

export interface EnvFlags extends WaitFirstFlags {
  readonly shell?: Shell;
}

export async function env(world: World, wanted: readonly string[], flags: EnvFlags): Promise<number> {
  const out = new Output(world, flags);
  const shell = flags.json ? "json" : (flags.shell ?? ownShell(world));
  const plan = await readPlan(world, flags, wanted, out, "setVariables");
  if (plan === undefined) return 2;
  const names = chooseNames(
    wanted,
    plan.forwards.map(({ name }) => name),
  );
  const chosen = plan.forwards.filter(({ name }) => names.includes(name));
  const required = wanted.length > 0 ? names : chosen.flatMap((f) => (f.required ? [f.name] : []));
  const interrupted = await waitFirst(world, flags, required);
  if (interrupted !== undefined) return interrupted;
  const variables = allVariables(await locate(world, chosen, flags));
  if (variables.size === 0 && shell !== "json") return 0;
  const text = variablesText(variables, shell, `kfwd-${randomUUID()}`);
  if (shell === "dotenv") refuseUnfit(text, variables);
  out.data(text);
  return 0;
}

/** The user's own, by $SHELL. @throws KfwdError `USAGE` for one that has a syntax of its own. */
function ownShell({ env: { SHELL: path } }: World): Shell {
  if (!path) return "bash";
  const shell = shellOf(path);
  if (shell !== undefined) return shell;
  throw new KfwdError("USAGE", `cannot write for the shell "${path}"`, {
    hint: `name one that it can read: --shell ${either(SHELLS)}`,
  });
}
