/** `kubectl port-forward` lines of a script, a Makefile or a README. */
import { commandsOf, readArguments } from "./commandline.ts";
import { DraftBuilder, type Draft } from "./draft.ts";
import { nameOfPort, readPortPair } from "./portword.ts";
import { isTemplate } from "./values.ts";

const VALUED: ReadonlyMap<string, string> = new Map([
  ["-n", "namespace"],
  ["--namespace", "namespace"],
  ["--context", "context"],
  ["--kubeconfig", "kubeconfig"],
  ["--address", "address"],
  ...["--pod-running-timeout", "--cluster", "--user", "--server", "-s", "--token", "--as", "--as-group"].map(
    (flag) => [flag, flag] as const,
  ),
  ...["--request-timeout", "--certificate-authority", "--client-key", "--client-certificate", "-v"].map(
    (flag) => [flag, flag] as const,
  ),
]);

export function looksLikeKubectl(text: string): boolean {
  return /\bport-forward\b/.test(text);
}

export function readKubectl(text: string): Draft {
  const builder = new DraftBuilder();
  for (const words of commandsOf(text)) {
    const at = words.indexOf("port-forward");
    if (at < 0) continue;
    const start = words.findLastIndex((word, index) => index < at && /(?:^|\/)(?:kubectl|oc|k)$/.test(word));
    const said = words.slice(Math.max(0, start)).join(" ");
    if (start < 0) builder.leaveOut(said, "it is no command of kubectl");
    else readCommand(said, [...words.slice(start + 1, at), ...words.slice(at + 1)], builder);
  }
  return builder.draft;
}

function readCommand(said: string, args: readonly string[], builder: DraftBuilder): void {
  const { flags, words } = readArguments(args, VALUED);
  const [object = "", ...ports] = words[0] === "" ? words.slice(1) : words;
  if (isTemplate(object)) {
    builder.leaveOut(said, `${object} is known to the script alone`);
    return;
  }
  if (object === "" || ports.length === 0) {
    builder.leaveOut(said, "it names no object, or no port");
    return;
  }
  const target = object.includes("/") ? object : `pod/${object}`; // as kubectl reads it
  const base = object.slice(object.indexOf("/") + 1);
  for (const word of ports) {
    const pair = readPortPair(word);
    if (pair === undefined) {
      const why = isTemplate(word)
        ? `${word} is known to the script alone`
        : `it cannot read the port ${word}`;
      builder.leaveOut(said, why);
      continue;
    }
    const { remarks, values } = placeOf(flags);
    if (pair.local === "auto" && !word.includes(":"))
      remarks.push("kubectl looks the number of this port up: write it as local");
    builder.add({
      name: nameOfPort(base, pair.remote, ports.length === 1),
      target,
      ...values,
      port: pair.remote,
      local: pair.local,
      remarks,
    });
  }
}

interface Place {
  context?: string;
  namespace?: string;
  kubeconfig?: string;
  bind?: readonly string[];
}

/** What the flags say, without what only the script knows. */
function placeOf(flags: ReadonlyMap<string, string>): { readonly values: Place; readonly remarks: string[] } {
  const values: Place = {};
  const remarks: string[] = [];
  for (const field of ["context", "namespace", "kubeconfig"] as const) {
    const value = flags.get(field);
    if (value === undefined || value === "") continue;
    if (isTemplate(value)) remarks.push(`its ${field} was ${value}`);
    else values[field] = value;
  }
  const addresses = flags
    .get("address")
    ?.split(",")
    .filter((one) => one !== "");
  if (addresses !== undefined && addresses.length > 0 && addresses.join() !== "localhost")
    values.bind = addresses;
  return { values, remarks };
}
