/** Whether a stream gets colour, and which words get which. */
import { Chalk, type ColorSupportLevel } from "chalk";

/** `--color`. */
export const COLOUR_CHOICES = ["auto", "always", "never"] as const;
export type ColourChoice = (typeof COLOUR_CHOICES)[number];

/**
 * The colour level of one stream: the flag decides, then NO_COLOR (when not empty), FORCE_COLOR (0 is off),
 * TERM=dumb, and whether the stream is a terminal. We decide because chalk itself ignores NO_COLOR.
 */
export function colourLevel(
  choice: ColourChoice,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): ColorSupportLevel {
  if (choice !== "auto") return choice === "always" ? 1 : 0;
  if (env["NO_COLOR"]) return 0;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force === "0" || force === "false" ? 0 : 1;
  return isTerminal && env["TERM"] !== "dumb" ? 1 : 0;
}

/** Words in the colour of what they mean. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly waiting: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

export function paintFor(level: ColorSupportLevel): Paint {
  const chalk = new Chalk({ level });
  return { good: chalk.green, bad: chalk.red, waiting: chalk.yellow, dim: chalk.dim, bold: chalk.bold };
}
