/** Lines that are redrawn in place on a terminal while something goes on, and are gone when it is over. */

/** One line. `work` may change the title while it goes on. */
export interface DrawnTask {
  readonly title: string;
  readonly work: (retitle: (title: string) => void) => Promise<unknown>;
}

/** Columns below which a line of a few words would wrap, and be drawn one character a line where they are 0. */
const COLUMNS_MIN = 21;

/** Whether lines can be taken back there: not where the terminal has no width, or does not know it and says 0. */
export function canDraw(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.columns >= COLUMNS_MIN;
}

/**
 * Draws until all work is over. Imports listr2 only now: most commands do not need it. It must not touch signals or
 * stdout, hence the options.
 */
export async function draw(stream: NodeJS.WriteStream, tasks: readonly DrawnTask[]): Promise<void> {
  const { Listr, ListrLogger, ProcessOutput } = await import("listr2");
  const list = new Listr(
    tasks.map(({ title, work }) => ({
      title,
      task: (_context: unknown, task: { title: string }) => work((changed) => (task.title = changed)),
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
  await list.run();
}
