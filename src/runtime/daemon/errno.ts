/** What the file system says, as people say it. */
import { errnoOf } from "../../errno.ts";

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
    case "ENAMETOOLONG":
      return "the path is too long";
    case undefined:
      return "unknown reason";
    default:
      return errno;
  }
}
