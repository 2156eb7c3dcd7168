/** Who has a local port: from /proc, so on Linux only; elsewhere, and for other users' processes, unknown. */
import { readFile, readdir, readlink } from "node:fs/promises";

/** A process that has the port. */
export interface PortOwner {
  readonly pid: number;
  /** What it was started as, without its folder. */
  readonly program: string;
}

/** State of a socket in /proc/net/tcp that listens, and in /proc/net/udp of one that takes what anybody sends. */
const LISTENS = { tcp: "0A", udp: "07" } as const;

/** Never throws: not to know is an answer. */
export async function portOwner(port: number, protocol: "tcp" | "udp"): Promise<PortOwner | undefined> {
  try {
    const tables = await Promise.all([`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map(readText));
    const inodes = new Set(tables.flatMap((table) => listeningInodes(table, port, protocol)));
    return inodes.size === 0 ? undefined : await ownerOf(inodes);
  } catch {
    return undefined;
  }
}

/** Inodes of the sockets that listen on the port in a table of /proc/net; exported for its test. */
export function listeningInodes(table: string, port: number, protocol: "tcp" | "udp" = "tcp"): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return local?.endsWith(suffix) && state === LISTENS[protocol] && inode !== undefined ? [inode] : [];
  });
}

async function ownerOf(inodes: ReadonlySet<string>): Promise<PortOwner | undefined> {
  const links = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fds = await readdir(`/proc/${name}/fd`).catch(() => []);
    for (const fd of fds) {
      const link = await readlink(`/proc/${name}/fd/${fd}`).catch(() => "");
      if (links.has(link)) return { pid: Number(name), program: await programOf(name) };
    }
  }
  return undefined;
}

/** Not the kernel's name first: that is of the main thread, and Node 24 calls its own `MainThread`. */
async function programOf(pid: string): Promise<string> {
  const started = startedAs(await readText(`/proc/${pid}/cmdline`));
  return started === "" ? (await readText(`/proc/${pid}/comm`)).trim() : started;
}

/** The program of a command line as /proc has it; servers write titles there, like `nginx: master process`. */
export function startedAs(commandLine: string): string {
  const [first = ""] = commandLine.split("\0", 1);
  const [word = ""] = first.split(/:? /, 1);
  return word.slice(word.lastIndexOf("/") + 1);
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
