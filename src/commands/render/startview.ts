/** The start phase on a terminal: a line for each forward, redrawn in place, and gone at the end. */
import type { Board } from "../../runtime/index.ts";
import { canDraw, draw } from "./drawing.ts";
import { stateText } from "./forward.ts";

/** Lines the view must leave to the shell: it redraws in place and loses what scrolls away. */
const SPARE_ROWS = 5;

/** Whether all forwards fit; otherwise plain lines serve better. */
export function fitsTerminal(stream: NodeJS.WriteStream, forwards: number): boolean {
  return canDraw(stream) && forwards <= stream.rows - SPARE_ROWS;
}

/** Draws until every forward is ready or the signal is aborted. */
export async function showStart(
  stream: NodeJS.WriteStream,
  names: readonly string[],
  board: Board,
  signal: AbortSignal,
): Promise<void> {
  const width = Math.max(...names.map((name) => name.length));
  const describe = (name: string): string => {
    const [forward] = board.of([name]);
    return forward ? ` ${name.padEnd(width)}  ${stateText(forward)}` : ` ${name.padEnd(width)}`;
  };
  await draw(
    stream,
    names.map((name) => ({
      title: describe(name),
      work: (retitle) =>
        board.until(() => {
          retitle(describe(name));
          return board.of([name])[0]?.state === "ready";
        }, signal),
    })),
  );
}
