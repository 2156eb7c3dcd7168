/** What the system says when it refuses something, and how people say it. */

/** Whether there is no file descriptor left: in this process (EMFILE), or on this machine (ENFILE). */
export function isOutOfFiles(thrown: unknown): boolean {
  return ["EMFILE", "ENFILE"].includes(errnoOf(thrown) ?? "");
}

/** The code of what was thrown: `ENOENT`, `ERR_SSL_WRONG_VERSION_NUMBER`; undefined where it bears none. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}

/** Why a file or folder could not be used, to stand after a colon. */
export function fileTrouble(thrown: unknown): string {
  const errno = errnoOf(thrown);
  switch (errno) {
    case "ENOSPC":
      return "the disk is full";
    case "EDQUOT":
      return "the disk quota is used up";
    case "EROFS":
      return "the file system is read-only";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOENT":
      return "no such file or folder";
    case "ENOTDIR":
      return "a part of the path is not a folder";
    case "EMFILE":
    case "ENFILE":
      return "too many open files";
    case "ELOOP":
      return "its symbolic links lead in a circle";
    case "ENXIO":
      return "it is no regular file";
    case "ENAMETOOLONG":
      return "the path is too long";
    case undefined:
      return "unknown reason";
    default:
      return errno;
  }
}
