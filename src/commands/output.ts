/** Where a command's words go: data to stdout, everything said to people to stderr. */
import { errnoOf, fileTrouble } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { visibleJson } from "../printable.ts";
import { colourLevel, paintFor, type Paint } from "./render/colour.ts";
import type { Footer } from "./render/bottomline.ts";
import { errorJson, errorText } from "./render/errortext.ts";
import type { SharedFlags, World } from "./world.ts";

/** How progress is shown: JSON lines, nothing, redrawn lines on a terminal, or a line for each change. */
export type ProgressForm = "json" | "quiet" | "terminal" | "plain";

/** Where an output goes. */
export type Streams = Pick<World, "stdout" | "stderr" | "env">;

/** The output of one command. */
export class Output {
  readonly progress: ProgressForm;
  /** Colours of stdout and stderr. */
  readonly dataPaint: Paint;
  readonly notePaint: Paint;
  readonly stderr: NodeJS.WriteStream;
  readonly #stdout: NodeJS.WriteStream;
  #footer: Footer | undefined;

  constructor(world: Streams, flags: SharedFlags) {
    this.#stdout = world.stdout;
    this.stderr = world.stderr;
    this.progress = progressForm(world, flags);
    this.dataPaint = paintFor(colourLevel(flags.color, world.env, world.stdout.isTTY));
    this.notePaint = paintFor(colourLevel(flags.color, world.env, world.stderr.isTTY));
  }

  /** Width of stdout's terminal; undefined for a pipe or a file, and where the terminal does not know it and says 0. */
  get dataWidth(): number | undefined {
    return this.#stdout.isTTY && this.#stdout.columns > 0 ? this.#stdout.columns : undefined;
  }

  /** Whoever read the data has gone: `kfwd logs -f | head -1`. */
  get closed(): boolean {
    return this.#stdout.destroyed;
  }

  /** A line that stays below what is said on stderr from now on; undefined: none any more. */
  set footer(footer: Footer | undefined) {
    this.#footer = footer;
  }

  /** Says it on stderr in any form of progress. */
  say(text: string): void {
    if (this.#footer) this.#footer.over(text);
    else this.stderr.write(`${text}\n`);
  }

  data(text: string): void {
    this.#stdout.write(`${text}\n`);
  }

  /** One line of a JSON stream. */
  json(value: object): void {
    this.data(visibleJson(value));
  }

  /** Something for people; said neither with `--json` nor with `-q`. */
  note(text: string): void {
    if (this.progress !== "json" && this.progress !== "quiet") this.say(text);
  }

  error(thrown: unknown): void {
    const error = KfwdError.from(thrown);
    const text = this.progress === "json" ? errorJson(error) : errorText(error, this.notePaint);
    this.say(text);
  }
}

/** Why what was printed on stdout is not where it should be; a reader that has had enough is no such reason. */
export function lostOutput({ errored, isTTY }: NodeJS.WriteStream): KfwdError | undefined {
  if (errored === null) return undefined;
  const errno = errnoOf(errored) ?? "";
  const isReaderGone = errno === "EPIPE" || errno === "ECONNRESET" || (errno === "EIO" && isTTY);
  if (isReaderGone) return undefined;
  return new KfwdError("OUTPUT_LOST", `cannot write to standard output: ${fileTrouble(errored)}`, {
    cause: errored,
  });
}

function progressForm(world: Streams, flags: SharedFlags): ProgressForm {
  if (flags.json) return "json";
  if (flags.quiet) return "quiet";
  const smart = world.stderr.isTTY && world.env["TERM"] !== "dumb" && !world.env["CI"];
  return smart ? "terminal" : "plain";
}
