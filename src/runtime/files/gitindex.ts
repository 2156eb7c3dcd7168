/** Whether git tracks a file, by its index alone: to run git in a repository is to run what its settings name. */

const FLAGS_BYTES = 2;
const LENGTH_MASK = 0xfff;

/** Whether the index of a repository has an entry of that path, which starts at the repository's folder. */
export function isInGitIndex(index: Buffer, path: string): boolean {
  if (index.toString("latin1", 0, 4) !== "DIRC") return false;
  const name = Buffer.from(`${path}\0`);
  const wanted = Math.min(name.length - 1, LENGTH_MASK);
  for (let at = index.indexOf(name); at !== -1; at = index.indexOf(name, at + 1)) {
    // the flags before the name hold its length, so this is no end of a longer one
    if (at >= FLAGS_BYTES && (index.readUInt16BE(at - FLAGS_BYTES) & LENGTH_MASK) === wanted) return true;
  }
  return false;
}
