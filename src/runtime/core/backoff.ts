/** How long to wait between attempts: one policy for forwards, watches and upgrades. */

/** Durations in milliseconds. */
export interface BackoffPolicy {
  /** Upper bound of the first wait. */
  readonly firstMs: number;
  readonly factor: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** After this long without trouble the next failure counts as the first. */
  readonly resetAfterMs: number;
}

/** The first retry is immediate (attempt 1), then 100 ms doubling to 15 s, with full jitter; it never gives up. */
export const DEFAULT_BACKOFF: BackoffPolicy = {
  firstMs: 100,
  factor: 2,
  capMs: 15_000,
  resetAfterMs: 10_000,
};

/** Whoever refused us must be asked to change its mind by a person: look once a minute, not in a storm. */
export const DENIED_RETRY_MS = 60_000;

/**
 * Milliseconds to wait before the next try when `attempt` tries have failed since things were last well.
 * `random` is uniform in [0, 1): full jitter spreads the return of many forwards over the whole wait.
 */
export function backoffMs(attempt: number, random: number, policy: BackoffPolicy = DEFAULT_BACKOFF): number {
  if (attempt <= 1) return 0;
  const bound = Math.min(policy.capMs, policy.firstMs * policy.factor ** (attempt - 2));
  return Math.round(bound * random);
}
