/** Handles one frame: at once, or by the promise it returns. */
export type FrameTask = () => Promise<void> | undefined;

/** Frames that wait for one worker before nothing more is read from the connection. */
const QUEUE_MAX_FRAMES = 50;

const WORKERS = 5;

/** Which one {@link FrameWorkers.wedge} is about: that of the first data stream, 3. */
const WEDGED_WORKER = 3;

/**
 * The frame workers of moby/spdystream (`connection.go`): five queues, each handled strictly in order, so a stream
 * whose reader stalls holds up every stream whose id is the same modulo five, and once a queue is full, the
 * connection. PINGs and other frames without a stream go to the workers in turn.
 *
 * Counts the parts in which DATA arrives, which are at most 16 KiB under TLS, where the original counts frames.
 */
export class FrameWorkers {
  readonly #onRoom: () => void;
  readonly #queues: FrameTask[][] = Array.from({ length: WORKERS }, () => []);
  readonly #busy = new Set<number>();
  #nextTurn = 0;

  /** `onRoom` is called when a queue that was full has room again. */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  /** True: stop reading until `onRoom`. */
  get full(): boolean {
    return this.#queues.some((queue) => queue.length >= QUEUE_MAX_FRAMES);
  }

  /** Hands a frame of a stream to the stream's worker. */
  push(streamId: number, task: FrameTask): void {
    this.#give(streamId % WORKERS, task);
  }

  /** Hands a frame without a stream to the next worker. */
  pushInTurn(task: FrameTask): void {
    this.#give(this.#nextTurn, task);
    this.#nextTurn = (this.#nextTurn + 1) % WORKERS;
  }

  /** One worker never ends its next task; a part of all streams and one of five PINGs are its. */
  wedge(): void {
    this.#give(WEDGED_WORKER, () => new Promise(() => {}));
  }

  /** Forgets all frames. */
  clear(): void {
    for (const queue of this.#queues) queue.length = 0;
  }

  #give(worker: number, task: FrameTask): void {
    this.#queues[worker]?.push(task);
    if (!this.#busy.has(worker)) this.#work(worker);
  }

  #work(worker: number): void {
    const queue = this.#queues[worker];
    for (;;) {
      const task = queue?.shift();
      if (task === undefined) return;
      const waiting = task();
      if (waiting === undefined) continue;
      this.#busy.add(worker);
      void waiting.then(() => {
        this.#busy.delete(worker);
        this.#work(worker);
        if (!this.full) this.#onRoom();
      });
      return;
    }
  }
}
