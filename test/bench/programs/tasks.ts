/** What the bench asks of its client, and what it gets. Times are milliseconds. */
export interface Tasks {
  /** Until something that was sent through each port has come back. Ports that refuse are tried until they do not. */
  firstEcho: {
    readonly ask: { readonly ports: readonly number[] };
    /** `atMs` by the machine's monotonic clock ({@link nowMs}); `broken` counts accepted connections that died. */
    readonly answer: { readonly atMs: number; readonly broken: number };
  };
  /** New connections to an echo port, `atOnce` together and then the next, and when each had its first byte back. */
  firstBytes: {
    readonly ask: { readonly port: number; readonly count: number; readonly atOnce: number };
    readonly answer: { readonly ms: readonly number[] };
  };
  /** New connections to an echo port, `atOnce` open at any time. */
  connections: {
    readonly ask: { readonly port: number; readonly count: number; readonly atOnce: number };
    readonly answer: { readonly ms: number; readonly failed: number };
  };
  /** New connections to an echo port, so many a second whatever becomes of the others, for a while. */
  steady: {
    readonly ask: { readonly port: number; readonly perSecond: number; readonly forMs: number };
    /** When each came, and when it was served or had failed, by {@link nowMs}. */
    readonly answer: {
      readonly visits: readonly { readonly atMs: number; readonly endedAtMs: number; readonly ok: boolean }[];
    };
  };
  /**
   * New connections to an echo port, one after the other, while another one is stalled: how long each took to its
   * first byte, or `deadlineMs` where none came. Throws when the stalled one then lacks a byte.
   */
  neighbours: {
    readonly ask: {
      readonly port: number;
      readonly count: number;
      readonly deadlineMs: number;
      readonly stalled: { readonly by: "reader" | "writer"; readonly port: number; readonly bytes: number };
    };
    readonly answer: { readonly ms: readonly number[] };
  };
  /** Fetches the pattern on `streams` connections at once, checks it, and throws when a byte is wrong or missing. */
  download: {
    readonly ask: Transfer;
    readonly answer: { readonly ms: number };
  };
  /** Sends the pattern on `streams` connections at once and waits for the pod's word on each that it came whole. */
  upload: {
    readonly ask: Transfer;
    readonly answer: { readonly ms: number };
  };
  /** Datagrams to an echo port at a steady rate: how many did not come back, and how long the others took. */
  datagrams: {
    readonly ask: {
      readonly port: number;
      readonly size: number;
      readonly perSecond: number;
      readonly seconds: number;
    };
    readonly answer: { readonly lostPercent: number; readonly p50: number; readonly p99: number };
  };
  /** Until a datagram of many has come back from an echo port. */
  firstDatagram: {
    readonly ask: { readonly port: number };
    readonly answer: { readonly atMs: number };
  };
  /** Exchanges that the server closes, one after the other, each until the client has seen that. */
  closings: {
    readonly ask: { readonly port: number; readonly count: number };
    readonly answer: { readonly ms: readonly number[] };
  };
  /** One exchange of which the client closes its half first. */
  lateAnswer: {
    readonly ask: { readonly port: number };
    readonly answer: { readonly ms: number };
  };
}

/** Of `bytes` bytes on each connection. */
export interface Transfer {
  readonly port: number;
  readonly bytes: number;
  readonly streams: number;
}

export type TaskName = keyof Tasks;

/** One message to the client. */
export type Order = { [K in TaskName]: { id: number; task: K; ask: Tasks[K]["ask"] } }[TaskName];

/** Its answer. */
export interface Outcome {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Monotonic, and the same in every process of the machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
