/** Labels as Kubernetes has them. */
import { mapOf, textLike, type Reader } from "./readers.ts";
import { isLabelKey, isLabelValue } from "./selector.ts";

/** A reader of a map of labels. */
export function labelMap(what: string): Reader<Readonly<Record<string, string>>> {
  const key = textLike("a label", isLabelKey, "a label of Kubernetes, as in app.kubernetes.io/name");
  const rule = 'at most 63 letters, digits, "-", "_" and "."';
  return mapOf(what, key, textLike("the value of a label", isLabelValue, rule));
}
