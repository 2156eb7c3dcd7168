/** What an `up` would do, without doing it. */
import { plan } from "./core/plan.ts";
import { connectControl } from "./daemon/controlclient.ts";
import { inspect, lockTrouble, type LockDeps } from "./daemon/inspect.ts";
import type { ProjectFiles } from "./daemon/projectfiles.ts";
import type { ApplyRequest, ApplyResult } from "./deps.ts";

const CONNECT_MS = 2_000;

/** What would be done, and whether to a supervisor that runs or to a new one. */
export interface Preview extends ApplyResult {
  readonly supervisor: "running" | "new";
}

/**
 * Compares with what runs, as the supervisor itself says; one that is being stopped counts as gone.
 * @throws KfwdError of whoever holds the project and cannot be reached, `VERSION_SKEW`, as `apply`; the signal's reason.
 */
export async function preview(
  deps: LockDeps,
  files: ProjectFiles,
  request: ApplyRequest,
  signal: AbortSignal,
): Promise<Preview> {
  const state = await inspect(deps, files, signal);
  switch (state.kind) {
    case "alive": {
      if (state.hello.drainLeftMs !== undefined) break;
      const client = await connectControl(deps, state.record, { timeoutMs: CONNECT_MS, signal });
      try {
        return { supervisor: "running", ...(await client.plan(request)) };
      } finally {
        await client[Symbol.asyncDispose]();
      }
    }
    case "unresponsive":
    case "elsewhere":
    case "damaged":
      throw lockTrouble(state, files);
    case "none":
    case "dead":
  }
  const changes = plan(new Map(), request.forwards, request.names);
  return { supervisor: "new", changes: changes.map(({ name, action }) => ({ name, action })) };
}
