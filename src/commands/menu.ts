/** What the keys of a terminal do while forwards are kept or followed. Pure. */
import { globMatches } from "../glob.ts";

/** What a name is asked for. */
export type Question = "restart" | "open";

/** Where the keys lead: to deeds, or into the name that is being typed. */
export type Menu =
  | { readonly kind: "keys" }
  | { readonly kind: "name"; readonly question: Question; readonly text: string };

/** What somebody wants to be done. */
export type Deed =
  | { readonly do: "quit" | "detach" | "suspend" | "log" | "watch" | "help" }
  | { readonly do: "restart" | "open"; readonly names: readonly string[] }
  | { readonly do: "say"; readonly text: string };

/** What the keys can be for at the moment. */
export interface MenuFacts {
  /** Forwards that can be restarted, in the order of the file. */
  readonly restartable: readonly string[];
  /** Forwards that have a URL. */
  readonly openable: readonly string[];
  /** Whether the forwards go on without us: then leaving them is all that can be done. */
  readonly follows: boolean;
  /** Whether files can be watched here. */
  readonly watchable: boolean;
}

/** What a key comes to. */
export interface Press {
  readonly menu: Menu;
  readonly deed?: Deed;
}

export const KEYS: Menu = { kind: "keys" };

/** Longer than any pattern for names has to be. */
const TEXT_MAX_CHARS = 60;

/** `key` is as {@link decodeKeys} has it. */
export function press(menu: Menu, key: string, facts: MenuFacts): Press {
  if (key === "ctrl-c") return menu.kind === "name" ? { menu: KEYS } : { menu, deed: { do: "quit" } };
  if (key === "ctrl-z") return { menu, deed: { do: "suspend" } };
  return menu.kind === "keys" ? pressInKeys(key, facts) : pressInName(menu, key, facts);
}

function pressInKeys(key: string, facts: MenuFacts): Press {
  switch (key) {
    case "q":
      return { menu: KEYS, deed: { do: "quit" } };
    case "d":
      return { menu: KEYS, deed: { do: "detach" } };
    case "l":
      return { menu: KEYS, deed: { do: "log" } };
    case "w":
      return facts.watchable ? { menu: KEYS, deed: { do: "watch" } } : { menu: KEYS };
    case "?":
    case "h":
      return { menu: KEYS, deed: { do: "help" } };
    case "r":
      return ask("restart", facts);
    case "o":
      return ask("open", facts);
    default:
      return { menu: KEYS };
  }
}

function ask(question: Question, facts: MenuFacts): Press {
  const names = namesFor(question, facts);
  const [only, another] = names;
  if (only === undefined) {
    const text = question === "open" ? "no forward that runs has a url" : "no forward runs";
    return { menu: KEYS, deed: { do: "say", text } };
  }
  if (another === undefined) return { menu: KEYS, deed: { do: question, names: [only] } };
  return { menu: { kind: "name", question, text: "" } };
}

function pressInName(menu: Extract<Menu, { kind: "name" }>, key: string, facts: MenuFacts): Press {
  const { question, text } = menu;
  switch (key) {
    case "escape":
      return { menu: KEYS };
    case "backspace":
      return { menu: { ...menu, text: text.slice(0, -1) } };
    case "tab":
      return { menu: { ...menu, text: nextName(text, namesFor(question, facts)) } };
    case "enter": {
      if (text === "") return { menu: KEYS };
      const names = meant(menu, facts);
      return names.length === 0 ? { menu } : { menu: KEYS, deed: { do: question, names } };
    }
    default:
      if (key.length > 1 || text.length >= TEXT_MAX_CHARS) return { menu };
      return { menu: { ...menu, text: text + key } };
  }
}

/** The forwards that the text means so far: the one of this name, else those that the pattern matches, else those that begin so. */
function meant({ question, text }: Extract<Menu, { kind: "name" }>, facts: MenuFacts): readonly string[] {
  const names = namesFor(question, facts);
  if (names.includes(text)) return [text];
  const matching = text.includes("*")
    ? names.filter((name) => globMatches(text, name))
    : names.filter((name) => name.startsWith(text));
  return question === "open" ? matching.slice(0, 1) : matching;
}

/** Goes through the names that begin alike. */
function nextName(text: string, names: readonly string[]): string {
  const at = names.indexOf(text);
  return (at < 0 ? names.find((name) => name.startsWith(text)) : names[(at + 1) % names.length]) ?? text;
}

function namesFor(question: Question, { restartable, openable }: MenuFacts): readonly string[] {
  return question === "open" ? openable : restartable;
}

/** What else the bottom line says. */
export interface HintFacts extends MenuFacts {
  readonly ready: number;
  readonly total: number;
  readonly log: string;
  readonly watch: "on" | "off";
}

/** The bottom line, from the longest form to the shortest. */
export function hints(menu: Menu, facts: HintFacts): readonly string[] {
  if (menu.kind === "name") return question(menu, facts);
  const { follows, watchable, ready, total, log, watch } = facts;
  const counted = `${ready}/${total} ready`;
  const quit = follows ? "q leave" : "q quit";
  const detach = follows ? [] : ["d detach"];
  const logs = log === "off" ? "l log" : `l log ${log}`;
  const watches = watchable ? [watch === "on" ? "w watching" : "w watch"] : [];
  const forms = [
    [counted, ...detach, "r restart", logs, "o open", ...watches, "? help", quit],
    [counted, ...detach, "r restart", logs, ...watches, "? help", quit],
    [counted, ...detach, "? help", quit],
    ["? help"],
  ];
  return forms.map((words) => words.join("  "));
}

function question(menu: Extract<Menu, { kind: "name" }>, facts: MenuFacts): readonly string[] {
  const asked = `${menu.question} which? ${menu.text}_`;
  const names = menu.text === "" ? namesFor(menu.question, facts) : meant(menu, facts);
  const found = names.length === 0 ? "none of that name" : names.join(", ");
  return [`${asked}  (${found})`, ...shortened(asked, names), asked];
}

/** With as many of the names as there may be room for. */
function shortened(asked: string, names: readonly string[]): readonly string[] {
  const counts = names.map((_, index) => names.length - 1 - index).filter((count) => count > 0);
  return counts.map(
    (count) => `${asked}  (${names.slice(0, count).join(", ")}, ${names.length - count} more)`,
  );
}

/** What `?` says. */
export function helpLines({ follows, watchable }: MenuFacts): readonly string[] {
  const leave = follows ? "q, Ctrl-C  leave: the forwards stay up" : "q, Ctrl-C  stop the forwards and quit";
  return [
    ...(follows ? [] : ["  d          detach: the forwards go on in the background"]),
    "  r          restart a forward: its connections are dropped, its port is kept",
    "  l          show the log: nothing of it, warnings, all but details, all",
    "  o          open the url of a forward",
    ...(watchable ? ["  w          watch the files: read them again when they change"] : []),
    "  Ctrl-Z     suspend this view; the forwards go on",
    `  ${leave}`,
  ];
}
