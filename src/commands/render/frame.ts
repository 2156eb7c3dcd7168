/** Text that takes the place of the text before it on a terminal. */

const [WRAP_OFF, WRAP_ON, TO_END] = ["\u001b[?7l", "\u001b[?7h", "\u001b[J"];

/** What to write, and how many lines it takes. */
export interface Frame {
  readonly text: string;
  readonly lines: number;
}

/**
 * `drawnLines`: how many the last frame took. What does not fit into `rows` is left out, because what has scrolled away
 * cannot be drawn over; lines that are too long are cut by the terminal.
 */
export function frameOver(drawnLines: number, text: string, rows: number): Frame {
  const all = text.split("\n");
  const room = Math.max(1, rows - 1);
  const shown =
    all.length > room ? [...all.slice(0, room - 1), `… ${all.length - room + 1} more lines`] : all;
  const back = drawnLines === 0 ? "" : `\u001b[${drawnLines}A\r`;
  const lines = shown.map((line) => `${line}\u001b[K\n`).join("");
  return { text: `${WRAP_OFF}${back}${lines}${TO_END}${WRAP_ON}`, lines: shown.length };
}
