/** The formats that can be imported, and which of them a text is in. */
import { looksLikeCompose, readCompose } from "./compose.ts";
import { looksLikeDevSpace, readDevSpace } from "./devspace.ts";
import { DraftBuilder, type Reader } from "./draft.ts";
import { looksLikeKftray, looksLikeAnnotatedServices, readKftray, readKftrayServices } from "./kftray.ts";
import { looksLikeKportal, readKportal } from "./kportal.ts";
import { looksLikeKrelay, readKrelay } from "./krelay.ts";
import { looksLikeKubectl, readKubectl } from "./kubectl.ts";
import { looksLikeSkaffold, readSkaffold } from "./skaffold.ts";
import { looksLikeTilt, readTilt } from "./tilt.ts";
import { bagOf, documentsOf } from "./values.ts";

/** A format by the name that `--format` takes. */
export const READERS = {
  kftray: readKftray,
  "kftray-services": readKftrayServices,
  kubectl: readKubectl,
  compose: readCompose,
  skaffold: readSkaffold,
  tilt: readTilt,
  devspace: readDevSpace,
  kportal: readKportal,
  krelay: readKrelay,
} as const satisfies Record<string, Reader>;

/** A key of {@link READERS}. */
export type Format = keyof typeof READERS;

export const FORMATS: readonly string[] = Object.keys(READERS);

export function isFormat(name: string): name is Format {
  return Object.hasOwn(READERS, name);
}

/** What a text is, by what stands in it; `forwards` is a forwards.yaml already. */
export function formatOf(text: string): Format | "forwards" | undefined {
  const documents = documentsOf(text, new DraftBuilder());
  if (documents.some((file) => bagOf(file["forwards"]) !== undefined)) return "forwards";
  if (looksLikeSkaffold(documents)) return "skaffold";
  if (looksLikeDevSpace(documents)) return "devspace";
  if (looksLikeKportal(documents)) return "kportal";
  if (looksLikeCompose(documents)) return "compose";
  if (looksLikeKftray(documents)) return "kftray";
  if (looksLikeAnnotatedServices(documents)) return "kftray-services";
  if (looksLikeKubectl(text)) return "kubectl";
  if (looksLikeTilt(text)) return "tilt";
  return looksLikeKrelay(text) ? "krelay" : undefined;
}
