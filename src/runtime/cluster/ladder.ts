/** Which way of upgrading an API server, and what stands before it, lets through. */
import { KfwdError } from "../../errors.ts";
import { nextRung, type Rung } from "./climb.ts";
import type { BytePipe } from "./pipe.ts";
import { askChannels, askSpdy, type Asked, type PodAddress, type UpgradeDeps } from "./upgrade.ts";
import type { WebSocketPipe } from "./websocketpipe.ts";

/** What an upgrade comes to: bytes that carry many streams, or leave to ask for each stream anew. */
export type Upgraded =
  | { readonly kind: "shared"; readonly pipe: BytePipe }
  | {
      readonly kind: "perStream";
      /** @throws KfwdError of exit status 4, or the signal's reason. */
      readonly dial: (port: number, signal: AbortSignal) => Promise<WebSocketPipe>;
      /** @see Dialler.standBy */
      readonly standBy: (tell: () => void) => Disposable;
    };

/** Climbs anew only when the rung that worked last does so no more. One for each API server and user. */
export class Ladder {
  readonly #deps: UpgradeDeps;
  #proven: Rung | undefined;

  constructor(deps: UpgradeDeps) {
    this.#deps = deps;
  }

  /**
   * `port` is one that will be wanted: where only channels get through, asking for them connects to it once.
   * @throws KfwdError of exit status 4: what the first rung met, which says more than that a fallback failed too; or
   * the signal's reason.
   */
  async upgrade(to: PodAddress & { readonly port: number }, signal: AbortSignal): Promise<Upgraded> {
    const refused: Extract<Asked<BytePipe>, { kind: "refused" }>[] = [];
    for (;;) {
      const rung = nextRung(refused, this.#proven);
      if (rung === undefined) break;
      const asked =
        rung === "channels"
          ? await askChannels(this.#deps, to, signal)
          : await askSpdy(this.#deps, rung, to, signal);
      if (asked.kind === "refused") {
        refused.push(asked);
        continue;
      }
      this.#proven = rung;
      if (rung !== "channels") return { kind: "shared", pipe: asked.pipe };
      asked.pipe[Symbol.dispose](); // an application is not kept waiting for a client who may never come
      return {
        kind: "perStream",
        dial: (port, use) => this.#dialChannels({ ...to, port }, use),
        standBy: (tell) => this.#deps.dialler.standBy(tell),
      };
    }
    throw refused[0]?.error ?? new KfwdError("INTERNAL", "no way to ask for an upgrade");
  }

  /** The network may be another one: the best way is looked for anew. */
  forget(): void {
    this.#proven = undefined;
  }

  async #dialChannels(
    to: PodAddress & { readonly port: number },
    signal: AbortSignal,
  ): Promise<WebSocketPipe> {
    const asked = await askChannels(this.#deps, to, signal);
    if (asked.kind === "refused") throw asked.error;
    return asked.pipe;
  }
}
