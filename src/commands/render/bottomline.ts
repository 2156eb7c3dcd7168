/** One line that stays below everything else that is said on a terminal. */

/**
 * The cursor waits at the start of the line, so that clearing from there takes all of it away, also after the terminal
 * has become narrower and shows it in two. It is never hidden: a process that is killed cannot bring it back.
 */
const AWAY = "\r\u001b[J";

/** Columns to be left free: in the last one some terminals wrap. */
const SPARE_COLUMNS = 1;

/** What a footer stands below. */
export interface Footer {
  /** Says something above it. */
  over(text: string): void;
}

/** Disposing takes it away. */
export class BottomLine implements Footer, Disposable {
  readonly #stream: NodeJS.WriteStream;
  readonly #paint: (text: string) => string;
  readonly #onResize = (): void => this.#draw();
  #forms: readonly string[] = [];
  #drawn = "";

  constructor(stream: NodeJS.WriteStream, paint: (text: string) => string) {
    this.#stream = stream;
    this.#paint = paint;
    stream.on("resize", this.#onResize);
  }

  /** Shows the first of these that fits, else the beginning of the last; without any, nothing. */
  show(...forms: readonly string[]): void {
    this.#forms = forms;
    if (this.#fitting() !== this.#drawn) this.#draw();
  }

  over(text: string): void {
    this.#stream.write(`${this.#drawn === "" ? "" : AWAY}${text}\n${this.#line()}`);
  }

  /** Draws it again where something else has written over it. */
  again(): void {
    this.#drawn = "";
    this.#draw();
  }

  [Symbol.dispose](): void {
    this.#stream.off("resize", this.#onResize);
    this.show();
  }

  #draw(): void {
    const away = this.#drawn === "" ? "" : AWAY;
    this.#stream.write(`${away}${this.#line()}`);
  }

  #line(): string {
    this.#drawn = this.#fitting();
    return this.#drawn === "" ? "" : `${this.#paint(this.#drawn)}\r`;
  }

  #fitting(): string {
    const room = Math.max(0, this.#stream.columns - SPARE_COLUMNS);
    const fitting = this.#forms.find((form) => form.length <= room);
    return fitting ?? (this.#forms.at(-1) ?? "").slice(0, room);
  }
}
