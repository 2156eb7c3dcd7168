/** Composition root of the library: a process of somebody else's, of which nothing is taken but time and files. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { KfwdError } from "./errors.ts";
import type { up as Up } from "./library/api.ts";
import { checkOptions } from "./library/options.ts";
import { telling, told } from "./library/told.ts";
import { bringUp } from "./library/up.ts";
import { realClock } from "./runtime/clock.ts";
import { homeFolder, workingFolder } from "./runtime/daemon/whereabouts.ts";
import { Runtime } from "./runtime/index.ts";
import { VERSION } from "./version.ts";

export { KfwdError } from "./errors.ts";

/** @see the API */
export const up: typeof Up = async (options = {}) => {
  telling(() => checkOptions(options));
  const variables = options.variables ?? process.env;
  const here = workingFolder(process.env);
  const runtime = new Runtime({
    clock: realClock,
    facts: { env: variables, uid: process.geteuid?.(), platform: process.platform, home: homeFolder() },
    cwd: options.cwd === undefined ? here : resolve(here, options.cwd),
    version: VERSION,
    readStdin: () => notHere("standard input"),
    supervisorScript: programBeside(),
    loadSupervisor: () => notHere("a supervisor"),
    loadSurvey: () => notHere("a survey"),
  });
  return bringUp({ clock: realClock, variables, runtime }, options);
};

/** @throws KfwdError `USAGE` where this text was taken out of its package. */
function programBeside(): string {
  const own = typeof __dirname === "string" ? __dirname : ""; // a bundle of ES modules has none
  const program = join(own, "..", "bin", "supervisor.js");
  if (own !== "" && existsSync(program)) return program;
  const message = "kfwd was put into a bundle, without the program that keeps its forwards";
  throw told(
    new KfwdError("USAGE", message, { hint: "leave kfwd out of the bundle, as an external package" }),
  );
}

/** What belongs to other programs is not carried along. */
function notHere(what: string): Promise<never> {
  return Promise.reject(new KfwdError("INTERNAL", `the library has no ${what}`));
}
