/** Which kfwd project holds a local port, so that a taken port can be explained by name. */
import { listProjects } from "./projectfiles.ts";
import { readLock } from "./readlock.ts";

/** `kfwd project "billing" (forward "pg", pid 4312)`, or undefined when the process is no supervisor of this user. */
export function portHolder(
  runtimeFolder: string,
  uid: number | undefined,
): (pid: number, port: number) => Promise<string | undefined> {
  return async (pid, port) => {
    for (const files of listProjects(runtimeFolder)) {
      const reading = readLock(files.lock, uid);
      if (reading.kind !== "value" || reading.value.pid !== pid) continue;
      const forward = reading.value.forwards.find((one) => one.port === port);
      const which = forward === undefined ? "" : `forward "${forward.name}", `;
      return `kfwd project "${reading.value.project}" (${which}pid ${pid})`;
    }
    return undefined;
  };
}
