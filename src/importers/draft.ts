/** What a reader found in another tool's file: forwards to be, and what has no place in a forwards.yaml. */

/** One forward as it will be written. Values are as the other tool had them: whether they may stand is checked later. */
export interface DraftForward {
  /** As the other tool calls it; made a name that may stand, and unique, when it is written. */
  readonly name: string;
  /** `svc/api`, `host/db.example.com`, or the labels of pods. */
  readonly target: string | { readonly selector: string };
  readonly description?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly port?: number | string | undefined;
  readonly targetPort?: number | string | undefined;
  readonly local: number | "auto";
  /** Absent: localhost. */
  readonly bind?: readonly string[] | undefined;
  readonly protocol?: "udp" | undefined;
  readonly url?: string | undefined;
  readonly hosts?: readonly string[] | undefined;
  /** What differs from the other tool and is for a person to look at. */
  readonly remarks?: readonly string[] | undefined;
}

/** Something that was not taken over, and why. */
export interface LeftOut {
  readonly what: string;
  readonly why: string;
}

/** Everything that a reader found. */
export interface Draft {
  readonly forwards: readonly DraftForward[];
  readonly leftOut: readonly LeftOut[];
}

/** Reads one tool's format. Never throws: what it cannot read it leaves out. */
export type Reader = (text: string) => Draft;

/** Grows while a reader reads. */
export class DraftBuilder {
  readonly #forwards: DraftForward[] = [];
  readonly #leftOut: LeftOut[] = [];

  add(forward: DraftForward): void {
    this.#forwards.push(forward);
  }

  leaveOut(what: string, why: string): void {
    this.#leftOut.push({ what, why });
  }

  get draft(): Draft {
    return { forwards: this.#forwards, leftOut: this.#leftOut };
  }
}
