/** Whether a terminal listens to this process, or to another job of its shell. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Where that cannot be found out, it does. */
export function ownsTerminal(): boolean {
  if (process.platform === "win32") return true;
  return process.platform === "linux" ? fromProc() : fromPs();
}

/** Field 5 is the process group, field 8 the one that the terminal listens to. */
function fromProc(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const [, , group, , , listened] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === listened;
  } catch {
    return true;
  }
}

/** A plus sign in its state says that a process is in the foreground. */
function fromPs(): boolean {
  try {
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(process.pid)], { encoding: "utf8" });
    return state.includes("+");
  } catch {
    return true;
  }
}
