/** The connections of a forward: those there are, and the sums of those there were. */
import type { Traffic } from "../core/status.ts";
import type { Connection } from "../deps.ts";
import type { Outcome } from "./serve.ts";

/** Those of the live ones that wait, and those that have had to. */
interface Waiting {
  readonly waiting: number;
  readonly waited: number;
}

type Bytes = Pick<Traffic, "bytesIn" | "bytesOut">;

/** One a forward. */
export class Tally {
  readonly #live = new Set<Connection>();
  readonly #past = { bytesIn: 0, bytesOut: 0, served: 0, refused: 0, lateEnds: 0 };

  get isEmpty(): boolean {
    return this.#live.size === 0;
  }

  /** Connections that came to nothing. */
  get refused(): number {
    return this.#past.refused;
  }

  /** `datagrams`: the bytes of a forward that has no connections. */
  traffic(gate: Waiting, datagrams: Bytes | undefined): Traffic {
    const live = [...this.#live];
    const { served, refused, lateEnds } = this.#past;
    const past = datagrams ?? this.#past;
    return {
      bytesIn: live.reduce((sum, c) => sum + c.traffic.bytesIn, past.bytesIn),
      bytesOut: live.reduce((sum, c) => sum + c.traffic.bytesOut, past.bytesOut),
      connections: live.length - gate.waiting,
      held: gate.waiting,
      waited: gate.waited,
      served,
      refused,
      lateEnds,
    };
  }

  came(connection: Connection): void {
    this.#live.add(connection);
  }

  went(connection: Connection, outcome: Outcome): void {
    this.#live.delete(connection);
    this.#past.bytesIn += connection.traffic.bytesIn;
    this.#past.bytesOut += connection.traffic.bytesOut;
    if (outcome.kind === "refused") this.#past.refused++;
    else this.#past.served++;
    if (outcome.kind === "carried" && outcome.lateEnd) this.#past.lateEnds++;
  }

  /** A client was turned away before it became a connection. */
  turnedAway(): void {
    this.#past.refused++;
  }

  resetAll(): void {
    for (const connection of this.#live) connection.reset();
  }
}
