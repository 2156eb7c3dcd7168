/** The keys of a terminal on which forwards are kept or followed, and the line at its bottom that tells of them. */
import { readinessOf, type Board, type ForwardStatus, type Session } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { urlOf } from "../schema/exports.ts";
import { Keyboard } from "./keyboard.ts";
import { LogView } from "./logview.ts";
import { helpLines, hints, KEYS, press, type Deed, type HintFacts, type Menu } from "./menu.ts";
import { openUrl } from "./open.ts";
import type { Output } from "./output.ts";
import type { Chosen } from "./plan.ts";
import { BottomLine } from "./render/bottomline.ts";
import type { Rereader } from "./reread.ts";
import { webUrl, whyNoBrowser } from "./weburl.ts";
import type { World } from "./world.ts";

/** What the keys act on. */
export interface KeyDeps {
  readonly world: World;
  readonly out: Output;
  readonly session: Pick<Session, "control" | "kind">;
  readonly board: Board;
  readonly chosen: Chosen;
  /** The forwards as the files have them, as far as that is known. */
  readonly specs: () => readonly ForwardSpec[];
  /** Undefined where files cannot be watched. */
  readonly rereader: Rereader | undefined;
  /** Ctrl-C, or its like, was pressed. */
  readonly onQuit: () => void;
  /** The forwards are to go on without us. */
  readonly onDetach: () => void;
}

/** Listens until disposed; the terminal is then as it was before. */
export class KeyView implements Disposable {
  readonly #deps: KeyDeps;
  readonly #line: BottomLine;
  readonly #keyboard: Keyboard;
  readonly #log: LogView;
  readonly #over = new AbortController();
  #menu: Menu = KEYS;

  constructor(deps: KeyDeps) {
    const { world, out, board, chosen } = deps;
    this.#deps = deps;
    this.#line = new BottomLine(out.stderr, out.notePaint.dim);
    const nameWidth = Math.max(4, ...chosen.names.map((name) => name.length));
    this.#log = new LogView(world.clock, out, nameWidth);
    this.#keyboard = new Keyboard(world, {
      onKey: (key) => this.#press(key),
      onReturn: () => {
        this.#line.again();
        this.#show();
      },
    });
    out.footer = this.#line;
    void board.until(() => {
      this.#show();
      return false;
    }, this.#over.signal);
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    this.#keyboard[Symbol.dispose]();
    this.#log[Symbol.dispose]();
    this.#deps.out.footer = undefined;
    this.#line[Symbol.dispose]();
  }

  get #facts(): HintFacts {
    const { board, chosen, session, rereader } = this.#deps;
    const forwards = chosen.only ? board.of(chosen.names) : board.all;
    const { ready, total } = readinessOf(forwards);
    return {
      restartable: forwards.filter(({ state }) => state !== "stopping").map(({ name }) => name),
      openable: forwards.filter((forward) => this.#urlOf(forward) !== undefined).map(({ name }) => name),
      follows: session.kind === "joined",
      watchable: rereader !== undefined,
      ready,
      total,
      log: this.#log.level,
      watch: rereader?.isOn ? "on" : "off",
    };
  }

  #show(): void {
    if (this.#over.signal.aborted || !this.#keyboard.isListening) return;
    this.#line.show(...hints(this.#menu, this.#facts));
  }

  #press(key: string): void {
    const { menu, deed } = press(this.#menu, key, this.#facts);
    this.#menu = menu;
    this.#show();
    if (deed !== undefined) void this.#do(deed).catch((thrown: unknown) => this.#deps.out.error(thrown));
  }

  async #do(deed: Deed): Promise<void> {
    const { out, onDetach, onQuit, rereader } = this.#deps;
    switch (deed.do) {
      case "quit":
        return onQuit();
      case "detach":
        return onDetach();
      case "suspend":
        this.#line.show();
        return this.#keyboard.suspend();
      case "log":
        await this.#nextLog();
        break;
      case "watch":
        if (rereader === undefined) return;
        if (rereader.isOn) rereader.stop();
        else await rereader.start();
        break;
      case "help":
        return out.note(helpLines(this.#facts).join("\n"));
      case "restart":
        await this.#restart(deed.names);
        break;
      case "open":
        return this.#open(deed.names);
      case "say":
        return out.note(deed.text);
    }
    this.#show();
  }

  async #nextLog(): Promise<void> {
    const { session, world } = this.#deps;
    const { supervisor } = await session.control.status();
    this.#log.next(() => world.runtime.readLog(supervisor.log));
  }

  async #restart(names: readonly string[]): Promise<void> {
    const { session, out } = this.#deps;
    await session.control.restart({ names });
    out.note(`restarted ${names.join(", ")}`);
  }

  async #open(names: readonly string[]): Promise<void> {
    const { board, out, world } = this.#deps;
    const urls = board.of(names).flatMap((forward) => this.#urlOf(forward) ?? []);
    for (const url of urls) {
      const why = whyNoBrowser({ env: world.env, platform: world.machine.platform });
      out.note(why === undefined ? url : `${url} (not opened: ${why})`);
      if (why === undefined) await openUrl(world, url);
    }
  }

  #urlOf({ name, localPort }: ForwardStatus): string | undefined {
    const spec = this.#deps.specs().find((one) => one.name === name);
    if (spec === undefined || localPort === null) return undefined;
    const url = urlOf({ spec, port: localPort });
    return url === undefined ? undefined : webUrl(url);
  }
}
