/** How a supervisor ended that did not say goodbye. */
import type { DeathCause } from "../../runtime/index.ts";

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
