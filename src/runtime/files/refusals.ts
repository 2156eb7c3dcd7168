/** What good files, or who reads them, ask for and do not get. Commands and the library refuse it alike. */
import { KfwdError } from "../../errors.ts";
import { isMetadataHost } from "../../linklocal.ts";
import type { ProjectDetails, TrustDemand } from "../../schema/details.ts";
import { placeText } from "../../schema/diagnostic.ts";
import { LABEL, LABEL_RULE } from "../../schema/kube-name.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import { suggestFrom } from "../../suggest.ts";

/** How a user allows what is refused: by a flag of a command, or by an option of the library. */
export type HintOf = (what: string) => string;

/**
 * A file that someone else wrote must not lead to the credentials of a cluster's machines by itself.
 * @throws KfwdError `METADATA_HOST` for the first target `host/…` that is link-local or a metadata service and not in
 * `allowed`. What other names resolve to is looked at by the relay.
 */
export function refuseMetadata(
  forwards: readonly ForwardSpec[],
  allowed: readonly string[],
  hintOf: HintOf,
): void {
  for (const { name, target, source } of forwards) {
    if (target.kind !== "host" || allowed.includes(target.name) || !isMetadataHost(target.name)) continue;
    const message = `forward "${name}" leads to "${target.name}", where a cloud's machines get their credentials`;
    throw new KfwdError("METADATA_HOST", message, {
      hint: `${hintOf(target.name)} if that is what you want`,
      place: source,
    });
  }
}

/**
 * `wanted`: those of flags and options; KFWD_PROFILES may be meant for other projects, too.
 * @throws KfwdError `UNKNOWN_PROFILE`.
 */
export function refuseUnknownProfiles({ entries }: ProjectDetails, wanted: readonly string[]): void {
  const known = [...new Set(entries.flatMap(({ profiles }) => profiles))];
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const hint =
    known.length === 0 ? "no forward of the file has a profile" : suggestFrom(unknown, known, "known");
  throw new KfwdError("UNKNOWN_PROFILE", `no profile named "${unknown}"`, { hint });
}

/** @throws KfwdError `USAGE`. */
export function refuseBadNamespace(namespace: string | undefined): void {
  if (namespace === undefined || LABEL.test(namespace)) return;
  const hint = `a namespace is ${LABEL_RULE}`;
  throw new KfwdError("USAGE", `"${namespace}" cannot be a namespace`, { hint });
}

const DEMANDS_SHOWN = 10;

/** What files want that needs trust, a line for each. */
export function demandLines(demands: readonly TrustDemand[]): readonly string[] {
  const lines = demands
    .slice(0, DEMANDS_SHOWN)
    .map(({ message, source }) => `  ${placeText(source)}: ${message}`);
  return demands.length > DEMANDS_SHOWN ? [...lines, `  and ${demands.length - DEMANDS_SHOWN} more`] : lines;
}

/** `shownAs`: what messages call the file. */
export function untrustedError(shownAs: string, demands: readonly TrustDemand[]): KfwdError {
  return new KfwdError("UNTRUSTED", `"${shownAs}" is not trusted, and asks for more than it may`, {
    detail: demandLines(demands).join("\n"),
    place: demands[0]?.source,
  });
}
