/** What Linux says of a process. */
import { readFileSync } from "node:fs";

/** USER_HZ: 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU, of all threads, in user and kernel mode, since the process began. */
export function cpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

/** `rss`: all that is resident; `pss`: what is shared with other processes counted in part. */
export interface Memory {
  readonly rssMb: number;
  readonly pssMb: number;
}

/** In units of 10^6 bytes. */
export function memory(pid: number): Memory {
  return {
    rssMb: parseKib(readFileSync(`/proc/${pid}/status`, "latin1"), "VmRSS"),
    pssMb: parseKib(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"), "Pss"),
  };
}

/** The 14th and 15th field; the second, the program's name, may hold blanks and parentheses. */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const seconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  if (Number.isNaN(seconds)) throw new Error(`cannot read CPU time from "${stat}"`);
  return seconds;
}

/** Such a line's number of KiB, as MB. */
export function parseKib(lines: string, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(lines)?.[1];
  if (kib === undefined) throw new Error(`no line "${name}"`);
  return (Number(kib) * 1024) / 1e6;
}
