/** Keeps the local ports of a project over restarts, in a small file of its state folder. */
import { randomBytes } from "node:crypto";
import { renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { fileTrouble } from "../../errno.ts";
import { readRegularFile } from "../../readfile.ts";
import type { Log, PortStore } from "../deps.ts";
import { makeFolder } from "./makefolder.ts";

const FILE_MAX_BYTES = 64 * 1024;
/** Forwards that left the file long ago give way to new ones. */
const ENTRIES_MAX = 500;

const content = z.object({
  schema: z.literal("kfwd.ports/1"),
  ports: z.record(z.string().check(z.maxLength(256)), z.int().check(z.gte(1), z.lte(65_535))),
});

/** A store in the folder of the project's log. What cannot be read is as if it were not there; a write that fails is logged. */
export function portStore(logPath: string, log: Log): PortStore {
  const path = join(dirname(logPath), "ports.json");
  return { read: () => readPorts(path), write: (ports) => writePorts(path, ports, log) };
}

function readPorts(path: string): readonly (readonly [string, number])[] {
  try {
    const text = readRegularFile(path, FILE_MAX_BYTES).toString("utf8");
    const read = content.safeParse(JSON.parse(text));
    return read.success ? Object.entries(read.data.ports) : [];
  } catch {
    return [];
  }
}

function writePorts(path: string, ports: readonly (readonly [string, number])[], log: Log): void {
  const value = { schema: "kfwd.ports/1", ports: Object.fromEntries(ports.slice(-ENTRIES_MAX)) };
  const temp = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    makeFolder(dirname(path));
    writeFileSync(temp, `${JSON.stringify(value)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(temp, path);
  } catch (thrown) {
    log.warn("ports.write", { error: fileTrouble(thrown) });
    try {
      unlinkSync(temp);
    } catch {
      // it was never made
    }
  }
}
