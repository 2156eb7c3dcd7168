/** `kfwd import`: another tool's file, or what it noted in a cluster, as a forwards.yaml. */
import { KfwdError } from "../errors.ts";
import { either, quoted, visible } from "../printable.ts";
import { INPUT_MAX_BYTES } from "../readfile.ts";
import { shellWord } from "../shellword.ts";
import { suggestFrom } from "../suggest.ts";
import { complaintsOf } from "./complaints.ts";
import { readNamed, writeNew } from "./newfile.ts";
import { Output } from "./output.ts";
import { countText } from "./render/forward.ts";
import type { SharedFlags, World } from "./world.ts";

export interface ImportFlags extends SharedFlags {
  readonly format?: string;
  readonly output?: string;
  readonly fromCluster?: boolean;
  readonly allNamespaces?: boolean;
  readonly context?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
}

/** 0 also when some could not be taken over: that is told on stderr and in the text. */
export async function importAll(
  world: World,
  source: string | undefined,
  flags: ImportFlags,
): Promise<number> {
  const out = new Output(world, flags);
  refuseMixed(source, flags);
  if (source !== undefined) return hand(world, out, flags, await importFile(world, source, flags));
  const { importFromCluster } = await import("./importcluster.ts");
  return hand(world, out, flags, { ...(await importFromCluster(world, flags)), from: "the cluster" });
}

/** @throws KfwdError `USAGE` for flags that are about another source. */
function refuseMixed(source: string | undefined, flags: ImportFlags): void {
  const hint = "kfwd import FILE, or kfwd import --from-cluster -n NAMESPACE";
  if (source === undefined && flags.fromCluster !== true)
    throw new KfwdError("USAGE", "import needs a file, or --from-cluster", { hint });
  if (flags.fromCluster === true) {
    const other = source === undefined ? (flags.format === undefined ? undefined : "--format") : "a file";
    if (other !== undefined) throw new KfwdError("USAGE", `--from-cluster cannot go with ${other}`, { hint });
    return;
  }
  const ofCluster = (["context", "namespace", "kubeconfig", "allNamespaces"] as const).find(
    (flag) => flags[flag] !== undefined,
  );
  if (ofCluster === undefined) return;
  const flag = ofCluster === "allNamespaces" ? "all-namespaces" : ofCluster;
  throw new KfwdError("USAGE", `--${flag} is for --from-cluster`, { hint });
}

interface Found {
  readonly text: string;
  readonly forwards: number;
  readonly report: readonly string[];
  readonly from: string;
}

async function importFile(world: World, source: string, flags: ImportFlags): Promise<Found> {
  const { FORMATS, formatOf, importText, isFormat } = await world.loadImporters();
  const wanted = flags.format;
  if (wanted !== undefined && !isFormat(wanted)) {
    throw new KfwdError("USAGE", `cannot import the format ${quoted(wanted)}`, {
      hint: suggestFrom(wanted, FORMATS, "formats"),
    });
  }
  const text = source === "-" ? await world.readStdin() : readNamed(world, source);
  const shownAs = source === "-" ? "standard input" : quoted(source);
  if (Buffer.byteLength(text) >= INPUT_MAX_BYTES) {
    throw new KfwdError(
      "CONFIG_UNREADABLE",
      `${shownAs} is not smaller than ${INPUT_MAX_BYTES / 1024 / 1024} MiB`,
      {
        hint: "import its parts one by one",
      },
    );
  }
  const format = wanted ?? formatOf(text);
  if (format === "forwards") {
    throw new KfwdError("USAGE", `${shownAs} is a forwards.yaml already`, {
      hint: `kfwd check -f ${shellWord(source)}`,
    });
  }
  if (format === undefined) {
    throw new KfwdError("USAGE", `cannot tell what ${shownAs} was made for`, {
      hint: `name it: --format ${either(FORMATS)}`,
    });
  }
  const found = importText(text, format, complaintsOf);
  if (found.forwards === 0) {
    throw new KfwdError("CONFIG_INVALID", `${shownAs} has no forward that could be taken over`, {
      detail: found.report.map((line) => `  ${line}`).join("\n") || undefined,
      hint: wanted === undefined ? `it was read as ${format}; --format names another` : undefined,
    });
  }
  return { ...found, from: format };
}

function hand(world: World, out: Output, flags: ImportFlags, found: Found): number {
  const { text: yaml, forwards, report, from } = found;
  if (flags.output === undefined) out.data(yaml.trimEnd());
  else writeNew(world, flags.output, yaml);
  for (const line of report) out.note(visible(line));
  const where = flags.output === undefined ? "" : `, written to ${visible(flags.output)}`;
  out.note(`${countText(forwards, "forward")} from ${from}${where}`);
  return 0;
}
