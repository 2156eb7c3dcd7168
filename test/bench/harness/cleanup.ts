/** What must not outlive the bench, however it ends. */

/** Owns things that end themselves more than once without harm. Disposing ends the newest first. */
export class Cleanup implements AsyncDisposable {
  readonly #owned: AsyncDisposable[] = [];
  #ended: Promise<void> | undefined;

  get ending(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * To be called before the thing begins.
   * @throws Error once everything is being ended: nothing may begin any more.
   */
  own<T extends AsyncDisposable>(thing: T): T {
    if (this.ending) throw new Error("the bench is being ended");
    this.#owned.push(thing);
    return thing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  /** One that fails to end keeps no other from ending. */
  async #end(): Promise<void> {
    for (const thing of this.#owned.toReversed()) {
      try {
        await thing[Symbol.asyncDispose]();
      } catch (error) {
        console.error(`not ended: ${String(error)}`);
      }
    }
  }
}
