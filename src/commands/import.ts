/** `kfwd import`: another tool's file, as a forwards.yaml. */
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
}

/** 0 also when some could not be taken over: that is told on stderr and in the text. */
export async function importFile(world: World, source: string, flags: ImportFlags): Promise<number> {
  const out = new Output(world, flags);
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
  const { text: yaml, forwards, report } = importText(text, format, complaintsOf);
  if (forwards === 0) {
    throw new KfwdError("CONFIG_INVALID", `${shownAs} has no forward that could be taken over`, {
      detail: report.map((line) => `  ${line}`).join("\n") || undefined,
      hint: wanted === undefined ? `it was read as ${format}; --format names another` : undefined,
    });
  }
  if (flags.output === undefined) out.data(yaml.trimEnd());
  else writeNew(world, flags.output, yaml);
  for (const line of report) out.note(visible(line));
  const where = flags.output === undefined ? "" : `, written to ${visible(flags.output)}`;
  out.note(`${countText(forwards, "forward")} from ${format}${where}`);
  return 0;
}
