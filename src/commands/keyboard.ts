/** The keys of the terminal, one by one, as long as the terminal is ours. */
import type { Output } from "./output.ts";
import { canDraw } from "./render/drawing.ts";
import type { World } from "./world.ts";

/** Between asking to be stopped and going on if nobody stops us, as in a process group without a shell. */
const STOP_MS = 100;

/** A shell that moves us to the foreground while we run does not say so. */
const LOOK_MS = 500;

/** How keys are told. */
export interface KeyListener {
  readonly onKey: (key: string) => void;
  /** The terminal is ours again, and may show anything. */
  readonly onReturn: () => void;
}

/**
 * Whether keys can be listened to: on a terminal that hears them and can draw, which belongs to this process now, and
 * where nobody has switched them off.
 */
export function hasKeys({ env, stdin, ownsTerminal }: World, { progress, stderr }: Output): boolean {
  if (progress !== "terminal" || env["KFWD_MENU"] === "0") return false;
  return canDraw(stderr) && stdin.isTTY && ownsTerminal();
}

/** Listens until disposed; the terminal is then as it was before. */
export class Keyboard implements Disposable {
  readonly #world: World;
  readonly #listener: KeyListener;
  readonly #onData = (chunk: Buffer | string): void => {
    for (const key of decodeKeys(String(chunk))) this.#listener.onKey(key);
  };
  readonly #going: readonly Disposable[];
  #stage: "listening" | "aside" | "over" = "aside";
  #looking: Disposable | undefined;

  constructor(world: World, listener: KeyListener) {
    this.#world = world;
    this.#listener = listener;
    this.#going = [
      world.onExit(() => this.#leave()),
      world.onSignal(["SIGCONT"], () => this.#return()), // the shell may have changed the terminal meanwhile
    ];
    world.stdin.on("data", this.#onData).pause();
    this.#take();
  }

  /** Whether the terminal is ours. */
  get isListening(): boolean {
    return this.#stage === "listening";
  }

  /** Lets the shell have the terminal, as Ctrl-Z does. */
  async suspend(): Promise<void> {
    this.#leave();
    this.#world.suspend();
    await this.#world.clock.sleep(STOP_MS, new AbortController().signal);
    this.#return();
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.#stage = "over";
    this.#looking?.[Symbol.dispose]();
    this.#world.stdin.off("data", this.#onData);
    for (const going of this.#going) going[Symbol.dispose]();
  }

  #take(): void {
    if (this.#stage !== "aside" || !this.#world.ownsTerminal()) return;
    this.#stage = "listening";
    this.#world.stdin.setRawMode(true);
    this.#world.stdin.resume();
  }

  #leave(): void {
    if (this.#stage !== "listening") return;
    this.#stage = "aside";
    this.#world.stdin.setRawMode(false);
    this.#world.stdin.pause(); // to read in the background would stop the process
  }

  #return(): void {
    if (this.#stage === "over") return;
    this.#looking?.[Symbol.dispose]();
    this.#leave();
    this.#take();
    if (this.isListening) this.#listener.onReturn();
    else this.#looking = this.#world.clock.timer(LOOK_MS, () => this.#return());
  }
}

const NAMED: Readonly<Record<string, string>> = {
  "\u0003": "ctrl-c",
  "\u001a": "ctrl-z",
  "\u001b": "escape",
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\u007f": "backspace",
  "\b": "backspace",
};

/** A key that is more than one character: arrows and their like, which mean nothing here. */
// oxlint-disable-next-line no-control-regex
const SEQUENCE = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O.|[^\u001b])/g;

/** Printable characters as they are, others by name; what means nothing here is left out. */
export function decodeKeys(chunk: string): readonly string[] {
  return Array.from(chunk.replaceAll(SEQUENCE, "")).flatMap((character) => {
    const named = NAMED[character];
    if (named !== undefined) return [named];
    return character >= " " && character <= "~" ? [character] : [];
  });
}
