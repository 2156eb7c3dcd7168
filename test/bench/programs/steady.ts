/** New connections at a steady rate, whether earlier ones have been served or not. */
import { firstByte } from "./connecting.ts";
import { nowMs, type Tasks } from "./tasks.ts";

/** A client that has waited for so long has failed. */
const PATIENCE_MS = 15_000;

/** A timer may be late; the clients it stands for come then. */
const TURN_MS = 2;

export async function steady({
  port,
  perSecond,
  forMs,
}: Tasks["steady"]["ask"]): Promise<Tasks["steady"]["answer"]> {
  const startedAtMs = nowMs();
  const visits: Promise<Tasks["steady"]["answer"]["visits"][number]>[] = [];
  const visit = async (): Promise<Tasks["steady"]["answer"]["visits"][number]> => {
    const atMs = nowMs();
    const ok = await firstByte(port, PATIENCE_MS).then(
      () => true,
      () => false,
    );
    return { atMs, endedAtMs: nowMs(), ok };
  };
  for (let passedMs = 0; passedMs < forMs; passedMs = nowMs() - startedAtMs) {
    while (visits.length < (passedMs / 1_000) * perSecond) visits.push(visit());
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
  return { visits: await Promise.all(visits) };
}
