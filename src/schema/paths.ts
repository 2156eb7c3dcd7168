/** Paths of a file joined by text alone, for POSIX and Windows. */

/** Where a file stands, for paths written in it. */
export interface PathBase {
  /** Absolute path of the folder that holds the file. */
  readonly folder: string;
  /** Absolute path that `~` stands for; undefined when there is none. */
  readonly home: string | undefined;
}

const WINDOWS_ROOT = /^(?:[A-Za-z]:[\\/]|\\\\)/;

/**
 * An absolute path from one that may be relative to the folder or start with `~/`, without `.` and `..` in it.
 * Undefined when it needs a home and there is none, or is the home of another user.
 */
export function resolvePath(path: string, base: PathBase): string | undefined {
  const separators = WINDOWS_ROOT.test(base.folder) ? /[\\/]/ : /\//;
  if (path.startsWith("~")) {
    const [tilde, ...rest] = path.split(separators);
    if (tilde !== "~" || base.home === undefined) return undefined;
    return joined(base.home, rest.join("/"));
  }
  const isAbsolute = path.startsWith("/") || (WINDOWS_ROOT.test(base.folder) && WINDOWS_ROOT.test(path));
  return isAbsolute ? joined(path, "") : joined(base.folder, path);
}

function joined(folder: string, path: string): string {
  const isWindows = WINDOWS_ROOT.test(folder);
  const separators = isWindows ? /[\\/]+/ : /\/+/;
  const root = isWindows ? (/^(?:[A-Za-z]:|\\\\[^\\/]+[\\/][^\\/]+)/.exec(folder)?.[0] ?? "") : "";
  const kept: string[] = [];
  for (const part of `${folder.slice(root.length)}/${path}`.split(separators)) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return isWindows ? `${root}\\${kept.join("\\")}` : `/${kept.join("/")}`;
}
