/** The stop phase on a terminal: a line while connections go on to their end. */
import type { Clock } from "../../runtime/index.ts";
import { canDraw, draw } from "./drawing.ts";

/** A stop that takes no longer needs no line: it would only flicker. */
const WORTH_A_LINE_MS = 150;

/** Settles as `work` does; draws while that takes its time. */
export async function showStop<T>(
  stream: NodeJS.WriteStream,
  title: string,
  clock: Clock,
  work: Promise<T>,
): Promise<T> {
  const over = work.then(
    () => {},
    () => {}, // whoever has the result hears of it
  );
  let pause: Disposable | undefined;
  const long = new Promise<"long">((resolve) => {
    pause = clock.timer(WORTH_A_LINE_MS, () => resolve("long"));
  });
  if ((await Promise.race([over, long])) === "long") {
    if (canDraw(stream)) await draw(stream, [{ title, work: () => over }]);
    else stream.write(`${title}\n`);
  }
  pause?.[Symbol.dispose]();
  return work;
}
