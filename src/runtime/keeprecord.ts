/** Keeps the lock's list of forwards true, for whoever finds a port taken and wants to know by whom. */
import { KfwdError } from "../errors.ts";
import type { Owner, StatusReport } from "./core/status.ts";
import type { Clock, Log, ServedControl } from "./deps.ts";

/** Changes of one start are written together: each write waits for the disk. */
const GATHER_MS = 50;

/** What the lock is told. */
export interface LockUpdate {
  readonly project: string;
  readonly config: StatusReport["config"];
  readonly state: "ready" | "stopping";
  readonly forwards: readonly {
    readonly name: string;
    readonly protocol: "tcp" | "udp";
    readonly bind: readonly string[];
    readonly port: number;
  }[];
  /** What somebody has stopped, and may start again. */
  readonly stopped: readonly string[];
  readonly owners: readonly Owner[];
}

/** Writes after each change of what is bound, until disposed. A write that fails is tried with the next event. */
export async function keepRecord(
  deps: { readonly clock: Clock; readonly log: Log },
  control: ServedControl,
  write: (update: LockUpdate) => Promise<void>,
): Promise<AsyncDisposable> {
  let timer: Disposable | undefined;
  let written = "";
  const following = await control.follow((event) => {
    if (event.type !== "ended") timer ??= deps.clock.timer(GATHER_MS, () => void gather());
  });
  const gather = async (): Promise<void> => {
    timer = undefined;
    const { project, config, entries, owners = [] } = await control.status();
    const bound = entries.filter(({ local }) => local.length > 0);
    const forwards = bound.map(({ name, protocol, local }) => ({
      name,
      protocol,
      bind: local.map(({ address }) => address),
      port: local[0]?.port ?? 0,
    }));
    const state = control.drainLeftMs === undefined ? "ready" : "stopping";
    const over = state === "ready" ? entries.filter((entry) => entry.state === "stopped") : [];
    const stopped = over.map(({ name }) => name);
    const update: LockUpdate = { project, config, state, forwards, stopped, owners };
    const text = JSON.stringify(update);
    if (text === written) return;
    try {
      await write(update);
      written = text;
    } catch (thrown) {
      deps.log.warn("lock.update", { error: KfwdError.from(thrown).message });
    }
  };
  return {
    [Symbol.asyncDispose]: async () => {
      timer?.[Symbol.dispose]();
      await following[Symbol.asyncDispose]();
    },
  };
}
