/** krelay's list of targets: one command line's arguments a line, `@udp` behind a port. */
import { commandsOf, readArguments } from "./commandline.ts";
import { DraftBuilder, type Draft } from "./draft.ts";
import { nameOfPort, readPortPair } from "./portword.ts";

const VALUED: ReadonlyMap<string, string> = new Map([
  ["-n", "namespace"],
  ["--namespace", "namespace"],
  ["-l", "address"],
  ["--address", "address"],
  ["--context", "context"],
]);

const LINE =
  /^\s*(?:-\S+\s+\S+\s+)*[a-z.]+\/\S+(?:\s+-\S+\s+\S+)*(?:\s+:?\w[\w-]*(?::\w[\w-]*)?(?:@\w+)?)+\s*$/;

/** Each line that says anything is a target and its ports. */
export function looksLikeKrelay(text: string): boolean {
  const lines = linesOf(text);
  return lines.length > 0 && lines.every((line) => LINE.test(line));
}

export function readKrelay(text: string): Draft {
  const builder = new DraftBuilder();
  for (const words of commandsOf(linesOf(text).join("\n"))) readTarget(words, builder);
  return builder.draft;
}

function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !/^\s*(?:#|\/\/)/.test(line));
}

function readTarget(line: readonly string[], builder: DraftBuilder): void {
  const { flags, words } = readArguments(line, VALUED);
  const [object = "", ...ports] = words;
  const said = line.join(" ");
  if (ports.length === 0) builder.leaveOut(said, "it names no port");
  const target = object.includes("/") ? object.replace(/^ip\//, "host/") : `pod/${object}`;
  const base = object.slice(object.indexOf("/") + 1);
  const address = flags.get("address");
  for (const word of ports) {
    const [pairText = "", protocol = "tcp"] = word.split("@");
    const pair = readPortPair(pairText);
    if (pair === undefined || (protocol !== "tcp" && protocol !== "udp")) {
      builder.leaveOut(said, `it cannot read the port ${word}`);
      continue;
    }
    builder.add({
      name: nameOfPort(base, pair.remote, ports.length === 1),
      target,
      context: flags.get("context"),
      namespace: flags.get("namespace"),
      port: pair.remote,
      local: pair.local,
      bind: address === undefined || address === "127.0.0.1" ? undefined : [address],
      protocol: protocol === "udp" ? "udp" : undefined,
    });
  }
}
