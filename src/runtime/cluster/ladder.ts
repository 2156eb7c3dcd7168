/** Which way of upgrading an API server, and what stands before it, lets through. */
import { KfwdError } from "../../errors.ts";
import type { BytePipe } from "./pipe.ts";
import { askUpgrade, type Asked, type PodAddress, type Rung, type UpgradeDeps } from "./upgrade.ts";

/**
 * SPDY first: it costs the API server least, and a role that may only `create` gets through. A proxy that knows only
 * WebSocket leads to the other rung, as kubectl's fallback does the other way round.
 */
const RUNGS: readonly Rung[] = ["spdy", "websocket"];

/** Climbs anew only when the rung that worked last does so no more. One for each API server and user. */
export class Ladder {
  readonly #deps: UpgradeDeps;
  #proven: Rung | undefined;

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
  }

  /**
   * @throws KfwdError of exit status 4: what the first rung met, which says more than that a fallback failed too; or
   * the signal's reason.
   */
  async upgrade(to: PodAddress, signal: AbortSignal): Promise<BytePipe> {
    const order = RUNGS.toSorted((a, b) => Number(b === this.#proven) - Number(a === this.#proven));
    let first: KfwdError | undefined;
    for (const rung of order) {
      const asked = await askUpgrade(this.#deps, rung, to, signal);
      if (asked.kind === "upgraded") {
        this.#proven = rung;
        return asked.pipe;
      }
      first ??= asked.error;
      if (!worthAnother(asked)) break;
    }
    throw first ?? new KfwdError("INTERNAL", "no way to ask for an upgrade");
  }
}

/**
 * An answer of the API server is an answer, but for two: it says 400 when it never saw the Upgrade header that a proxy
 * took away, and 403 tells of one verb where the rungs need different ones.
 */
function worthAnother({ by, status }: Extract<Asked, { kind: "refused" }>): boolean {
  if (by === "server") return status === 400 || status === 403;
  return status !== 401;
}
