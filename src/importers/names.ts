/** Names of forwards out of whatever others call them. */

const NAME_MAX_CHARS = 40;

/** A name that a forward may have, and none of `taken`. */
export function forwardName(wanted: string, taken: ReadonlySet<string>): string {
  const base = slug(wanted);
  if (!taken.has(base)) return base;
  for (let count = 2; ; count++) {
    const ending = `-${count}`;
    const name = `${base.slice(0, NAME_MAX_CHARS - ending.length)}${ending}`;
    if (!taken.has(name)) return name;
  }
}

function slug(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const named = plain === "" ? "forward" : plain;
  const lettered = /^[a-z]/.test(named) ? named : `f-${named}`;
  return lettered.slice(0, NAME_MAX_CHARS).replace(/-+$/, "");
}
