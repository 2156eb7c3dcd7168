/** What a run leaves behind for comparison with other runs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import type { Finding } from "./figures.ts";

const RESULTS = join(import.meta.dirname, "..", "results");

/** What the figures were measured with. */
export interface Circumstances {
  readonly startedAt: string;
  readonly rounds: number;
  readonly node: string;
  readonly kfwd: string;
  readonly kubectl: string;
  readonly server: string;
  readonly cpu: { readonly model: string; readonly count: number };
  /** Over the last minute, before anything was started. */
  readonly loadBefore: number;
}

/** What the machine says of itself; to be called before the bench loads it. */
export function machine(): Pick<Circumstances, "startedAt" | "node" | "cpu" | "loadBefore"> {
  const all = cpus();
  return {
    startedAt: new Date().toISOString(),
    node: process.version,
    cpu: { model: all[0]?.model ?? "?", count: all.length },
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** Returns the path of the new file. */
export function writeReport(circumstances: Circumstances, findings: readonly Finding[]): string {
  const file = join(RESULTS, `${circumstances.startedAt.replaceAll(":", "-").slice(0, 19)}.json`);
  mkdirSync(RESULTS, { recursive: true });
  const report = { schema: "kfwd.bench/1", ...circumstances, findings };
  writeFileSync(file, `${JSON.stringify(report, rounded, 2)}\n`);
  return file;
}

/** Microseconds and kilobytes say nothing here and make the file hard to read. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
}
