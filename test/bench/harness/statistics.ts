/** What is said of repeated measurements. */

/** The middle of some measurements, and how far apart they lie. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws Error when there are none. */
export function spreadOf(samples: readonly number[]): Spread {
  return { median: quantile(samples, 0.5), min: quantile(samples, 0), max: quantile(samples, 1) };
}

/** `q` from 0 to 1; between two samples it lies in proportion. @throws Error when there are none. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("no samples");
  return below + (above - below) * (position - Math.floor(position));
}

/** What is measured by turns, by name: each call is one measurement. */
export type Contestants<Name extends string, T> = Readonly<Record<Name, () => Promise<T>>>;

/**
 * Measures by turns, `rounds` times, with another one first each time: whatever else the machine does meets all
 * alike. Samples of one round stand at the same index.
 */
export async function byTurns<Name extends string, T>(
  rounds: number,
  contestants: Contestants<Name, T>,
): Promise<Readonly<Record<Name, readonly T[]>>> {
  const names = Object.keys(contestants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<Name, T[]>;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!;
      samples[name].push(await contestants[name]());
    }
  }
  return samples;
}
