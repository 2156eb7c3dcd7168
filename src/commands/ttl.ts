/** `--ttl`: access that ends by itself. */
import { KfwdError } from "../errors.ts";
import type { UpPlan } from "../runtime/index.ts";
import { parseDuration } from "../duration.ts";

const LEAST_MS = 1_000;

/** The plan in which these forwards end after the time of the flag, whatever the file says. @throws KfwdError `USAGE`. */
export function withTtl(plan: UpPlan, names: readonly string[], ttl: string | undefined): UpPlan {
  if (ttl === undefined) return plan;
  const ttlMs = Math.round(parseDuration(ttl, "--ttl"));
  if (ttlMs < LEAST_MS)
    throw new KfwdError("USAGE", `--ttl "${ttl}" is shorter than a second`, { hint: "--ttl 30m" });
  const forwards = plan.forwards.map((spec) => (names.includes(spec.name) ? { ...spec, ttlMs } : spec));
  return { ...plan, forwards };
}
