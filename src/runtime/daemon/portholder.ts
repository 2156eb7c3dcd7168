/** Which kfwd project holds a local port, so that a taken port can be explained by name. */
import { shellWord } from "../../shellword.ts";
import { listProjects } from "./projectfiles.ts";
import { readLock } from "./readlock.ts";

/** Tells of a supervisor of this user what it is and how it is stopped; of any other process nothing. */
export function portHolder(
  runtimeFolder: string,
  uid: number | undefined,
): (
  pid: number,
  port: number,
  protocol: "tcp" | "udp",
) => Promise<{ readonly name: string; readonly remedy: string } | undefined> {
  return async (pid, port, protocol) => {
    for (const files of listProjects(runtimeFolder)) {
      const reading = readLock(files.lock, uid);
      if (reading.kind !== "value" || reading.value.pid !== pid) continue;
      const forward = reading.value.forwards.find((one) => one.port === port && one.protocol === protocol);
      const which = forward === undefined ? "" : `forward "${forward.name}", `;
      const { project } = reading.value;
      return {
        name: `kfwd project "${project}" (${which}pid ${pid})`,
        remedy: `\`kfwd down -p ${shellWord(project)}\``,
      };
    }
    return undefined;
  };
}
