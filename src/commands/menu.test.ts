import { describe, expect, test } from "vitest";
import { decodeKeys } from "./keyboard.ts";
import { hints, KEYS, press, type HintFacts, type Menu } from "./menu.ts";

const FACTS: HintFacts = {
  restartable: ["api", "api-admin", "db"],
  openable: ["api", "api-admin"],
  follows: false,
  watchable: true,
  ready: 2,
  total: 3,
  log: "off",
  watch: "off",
};

/** What the keys come to, one after the other; the last deed counts. */
function after(keys: readonly string[], facts = FACTS): ReturnType<typeof press> {
  let last: ReturnType<typeof press> = { menu: KEYS };
  for (const key of keys) last = press(last.menu, key, facts);
  return last;
}

const asked = (question: "restart" | "open", text: string): Menu => ({ kind: "name", question, text });

describe("the menu", () => {
  test.each([
    ["q", "quit"],
    ["ctrl-c", "quit"],
    ["d", "detach"],
    ["ctrl-z", "suspend"],
    ["l", "log"],
    ["w", "watch"],
    ["?", "help"],
  ])("%s: %s", (key, deed) => {
    expect(after([key])).toEqual({ menu: KEYS, deed: { do: deed } });
  });

  test("what means nothing does nothing", () => {
    for (const key of ["x", "Q", "enter", "escape", "tab", "backspace", " "])
      expect(after([key])).toEqual({ menu: KEYS });
    expect(after(["w"], { ...FACTS, watchable: false })).toEqual({ menu: KEYS });
  });

  test("one forward is restarted without a question, of none that is said", () => {
    expect(after(["r"], { ...FACTS, restartable: ["db"] }).deed).toEqual({ do: "restart", names: ["db"] });
    expect(after(["r"], { ...FACTS, restartable: [] }).deed).toEqual({ do: "say", text: "no forward runs" });
    expect(after(["o"], { ...FACTS, openable: [] }).deed).toMatchObject({ do: "say" });
  });

  test.each<[readonly string[], readonly string[]]>([
    [["d", "b"], ["db"]],
    [["d"], ["db"]],
    [["a", "p", "i"], ["api"]],
    [["a"], ["api", "api-admin"]],
    [["*"], ["api", "api-admin", "db"]],
    [["*", "a", "d", "*"], ["api-admin"]],
    [["x", "backspace", "d"], ["db"]],
    [["a", "tab", "tab"], ["api-admin"]],
  ])("r %s: restarts %s", (typed, names) => {
    expect(after(["r", ...typed, "enter"])).toEqual({ menu: KEYS, deed: { do: "restart", names } });
  });

  test("a name that none has stays in question, an empty one and Escape and Ctrl-C take it back", () => {
    expect(after(["r", "x", "enter"])).toEqual({ menu: asked("restart", "x") });
    for (const key of ["enter", "escape", "ctrl-c"]) expect(after(["r", key])).toEqual({ menu: KEYS });
    expect(after(["r", "a", "escape", "ctrl-c"]).deed).toEqual({ do: "quit" });
  });

  test("one url is opened, of those that have one", () => {
    expect(after(["o", "a", "enter"]).deed).toEqual({ do: "open", names: ["api"] });
    expect(after(["o", "d", "enter"])).toEqual({ menu: asked("open", "d") });
  });

  test("what is typed has an end", () => {
    const { menu } = after(["r", ...Array.from({ length: 1_000 }, () => "a")]);
    expect(menu).toMatchObject({ text: "a".repeat(60) });
  });

  test("the line below says what can be done, in 79 columns with the longest words", () => {
    const busy = { ...FACTS, log: "debug", watch: "on" } as const;
    expect(hints(KEYS, FACTS)[0]).toBe(
      "2/3 ready  d detach  r restart  l log  o open  w watch  ? help  q quit",
    );
    expect(hints(KEYS, { ...FACTS, follows: true, watchable: false })[0]).toBe(
      "2/3 ready  r restart  l log  o open  ? help  q leave",
    );
    expect(hints(KEYS, busy)[0]?.length).toBeLessThanOrEqual(79);
    expect(hints(KEYS, busy).at(-2)?.length).toBeLessThanOrEqual(39);
    expect(hints(asked("restart", "a"), FACTS)).toEqual([
      "restart which? a_  (api, api-admin)",
      "restart which? a_  (api, 1 more)",
      "restart which? a_",
    ]);
  });
});

test("keys: one by one, and nothing of what arrows and their like send", () => {
  expect(decodeKeys("rdb\r")).toEqual(["r", "d", "b", "enter"]);
  expect(decodeKeys("\u0003\u001a\t\u007f\b\u001b")).toEqual([
    "ctrl-c",
    "ctrl-z",
    "tab",
    "backspace",
    "backspace",
    "escape",
  ]);
  expect(decodeKeys("\u001b[A\u001b[1;5C\u001bOP\u001bd\u001b[3~x\u0000é")).toEqual(["x"]);
});
