/** The start phase on a terminal: a line for each forward, redrawn in place, and gone at the end. */
import type { Board } from "../../runtime/index.ts";
import { stateText } from "./forward.ts";

/** Lines the view must leave to the shell: it redraws in place and loses what scrolls away. */
const SPARE_ROWS = 5;

/** Whether all forwards fit; otherwise plain lines serve better. */
export function fitsTerminal(stream: NodeJS.WriteStream, forwards: number): boolean {
  return stream.isTTY && stream.columns > 20 && forwards <= stream.rows - SPARE_ROWS;
}

/**
 * Draws until every forward is ready or the signal is aborted. Imports listr2 only now: no other command
 * needs it. It must not touch signals or stdout, hence the options.
 */
export async function showStart(
  stream: NodeJS.WriteStream,
  names: readonly string[],
  board: Board,
  signal: AbortSignal,
): Promise<void> {
  const { Listr, ListrLogger, ProcessOutput } = await import("listr2");
  const width = Math.max(...names.map((name) => name.length));
  const describe = (name: string): string => {
    const [forward] = board.of([name]);
    return forward ? ` ${name.padEnd(width)}  ${stateText(forward)}` : ` ${name.padEnd(width)}`;
  };
  const tasks = new Listr(
    names.map((name) => ({
      title: describe(name),
      task: async (_context: unknown, task: { title: string; output: string }) => {
        await board.until(() => {
          task.title = describe(name);
          return board.of([name])[0]?.state === "ready";
        }, signal);
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      rendererOptions: {
        collapseErrors: false,
        clearOutput: true,
        removeEmptyLines: true,
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- listr2 types its two loggers apart
        logger: new ListrLogger({ processOutput: new ProcessOutput(stream, stream) }),
      },
      fallbackRendererCondition: () => !stream.isTTY,
    },
  );
  await tasks.run();
}
