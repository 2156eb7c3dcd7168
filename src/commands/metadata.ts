/** A file that someone else wrote must not lead to the credentials of a cluster's machines by itself. */
import { KfwdError } from "../errors.ts";
import { isMetadataHost } from "../linklocal.ts";
import type { ForwardSpec } from "../schema/spec.ts";

/**
 * @throws KfwdError `METADATA_HOST` for the first target `host/…` that is link-local or a metadata service and not in
 * `allowed`. What other names resolve to is looked at by the relay.
 */
export function refuseMetadata(forwards: readonly ForwardSpec[], allowed: readonly string[]): void {
  for (const { name, target, source } of forwards) {
    if (target.kind !== "host" || allowed.includes(target.name) || !isMetadataHost(target.name)) continue;
    const message = `forward "${name}" leads to "${target.name}", where a cloud's machines get their credentials`;
    throw new KfwdError("METADATA_HOST", message, {
      hint: `\`--allow-metadata ${target.name}\` if that is what you want`,
      place: source,
    });
  }
}
