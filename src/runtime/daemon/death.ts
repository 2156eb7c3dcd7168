/** How a supervisor ended that did not say goodbye, in words. */
import { KfwdError } from "../../errors.ts";
import type { LockRecord } from "../wire/lockrecord.ts";
import type { DeathCause } from "./inspect.ts";

/** A supervisor whose lock is still there, and how it ended. */
export interface Death {
  readonly record: LockRecord;
  readonly why: DeathCause;
}

/** To follow the name of the supervisor: `which was killed or crashed`. */
export function deathText(why: DeathCause): string {
  switch (why) {
    case "crashed":
      return "was killed or crashed";
    case "rebooted":
      return "ended when the machine was restarted";
    case "container":
      return "ended with its container";
  }
}

/** The error of a command that needs a supervisor and finds a dead one. */
export function supervisorDied({ record, why }: Death): KfwdError {
  const message = `project "${record.project}" is not running: its supervisor (pid ${record.pid}) ${deathText(why)}`;
  const words = record.lastWords === null ? [] : [`  it said: ${record.lastWords}`];
  return new KfwdError("NOT_RUNNING", message, {
    detail: [...words, `  log: ${record.log}`].join("\n"),
    hint: "`kfwd up` starts it again",
  });
}
