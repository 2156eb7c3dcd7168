import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import { FakeLog } from "../../test/fakes/world.ts";
import { KfwdError } from "../errors.ts";
import { CONTEXT_LOOK_MS, CONTEXT_SETTLE_MS, ContextWatch, type ContextFollower } from "./contextwatch.ts";

/** How long a switch may go unnoticed. */
const NOTICED_MS = CONTEXT_LOOK_MS + CONTEXT_SETTLE_MS;

let clock: FakeClock;
let log: FakeLog;
let watch: ContextWatch;
let followers: ContextFollower[];
/** What each kubeconfig says; an error while it is broken. */
let current: Map<string | undefined, string | KfwdError>;
let moves: string[];
let refusal: KfwdError | undefined;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  moves = [];
  refusal = undefined;
  current = new Map([[undefined, "dev"]]);
  followers = [follower("web"), follower("db")];
  watch = new ContextWatch({
    clock,
    log,
    current: (kubeconfig) => {
      const says = current.get(kubeconfig) ?? "dev";
      if (says instanceof KfwdError) throw says;
      return says;
    },
    followers: () => followers,
    move: (names, context) => {
      if (refusal) throw refusal;
      moves.push(`${names.join("+")} to ${context}`);
      followers = followers.map((one) => (names.includes(one.name) ? { ...one, context } : one));
    },
  });
  watch.begin();
});

function follower(name: string, more: Partial<ContextFollower> = {}): ContextFollower {
  return { name, kubeconfig: undefined, protect: [], context: "dev", ...more };
}

const messages = (): string[] => watch.notes.map(({ message }) => message);

test("forwards move together when the context is another one, and it is said once", async () => {
  await clock.advance(60_000);
  expect([moves, log.lines, messages()]).toEqual([[], [], []]);
  current.set(undefined, "staging");
  await clock.advance(NOTICED_MS);
  await clock.advance(60_000);
  expect(moves).toEqual(["web+db to staging"]);
  expect(log.lines).toEqual(["context changed"]);
  expect(watch.notes).toEqual([
    {
      code: "ContextMoved",
      message: `the kubeconfig's current context has changed: web, db moved from "dev" to "staging"`,
    },
  ]);
  watch.begin();
  expect(messages()).toEqual([]);
});

test("a context that is there for a moment only is not followed", async () => {
  current.set(undefined, "staging");
  await clock.advance(CONTEXT_LOOK_MS);
  current.set(undefined, "dev");
  await clock.advance(60_000);
  expect(moves).toEqual([]);
});

test("a third context that comes while the second is looked at has to stand as well", async () => {
  current.set(undefined, "staging");
  await clock.advance(CONTEXT_LOOK_MS);
  current.set(undefined, "test");
  await clock.advance(CONTEXT_SETTLE_MS);
  expect(moves).toEqual([]);
  await clock.advance(CONTEXT_SETTLE_MS);
  expect(moves).toEqual(["web+db to test"]);
});

describe("a kubeconfig that cannot be read", () => {
  const broken = new KfwdError("KUBECONFIG_INVALID", "it is not valid YAML");

  test("is ignored while it is half written", async () => {
    current.set(undefined, broken);
    await clock.advance(CONTEXT_LOOK_MS);
    current.set(undefined, "dev");
    await clock.advance(60_000);
    expect([moves, messages()]).toEqual([[], []]);
  });

  test("keeps forwards where they are, says so in the end, and is followed again when it is mended", async () => {
    current.set(undefined, broken);
    await clock.advance(60_000);
    expect(messages()).toEqual([
      'web stays in context "dev": it is not valid YAML',
      'db stays in context "dev": it is not valid YAML',
    ]);
    expect(log.lines).toEqual(["context kept", "context kept"]);
    current.set(undefined, "staging");
    await clock.advance(NOTICED_MS);
    expect(moves).toEqual(["web+db to staging"]);
    expect(messages()).toHaveLength(1);
  });
});

describe("a protected context", () => {
  beforeEach(() => {
    followers = [follower("web", { protect: ["*prod*"] }), follower("db")];
  });

  test("is left alone by those whom it is protected from, with what to run; the others move", async () => {
    current.set(undefined, "arn:aws:eks:eu-west-1:1:cluster/prod-eu");
    await clock.advance(60_000);
    expect(moves).toEqual(["db to arn:aws:eks:eu-west-1:1:cluster/prod-eu"]);
    expect(watch.notes).toContainEqual({
      code: "ContextKept",
      message: `web stays in context "dev" though "arn:aws:eks:eu-west-1:1:cluster/prod-eu" is the current one: it matches protect "*prod*"`,
      hint: "kfwd up --allow-context arn:aws:eks:eu-west-1:1:cluster/prod-eu",
    });
    expect(log.lines).toEqual(["context kept", "context changed"]);
  });

  test("is forgotten when the context is that of before again", async () => {
    followers = [follower("web", { protect: ["prod"] })];
    current.set(undefined, "prod");
    await clock.advance(60_000);
    expect(messages()).toHaveLength(1);
    current.set(undefined, "dev");
    await clock.advance(CONTEXT_LOOK_MS);
    expect([messages(), moves]).toEqual([[], []]);
  });
});

test("a context that cannot be used is told with why; the next one is followed", async () => {
  refusal = new KfwdError("CONTEXT_UNKNOWN", 'context "x" names no cluster', { hint: "kubectl config view" });
  current.set(undefined, "x");
  await clock.advance(60_000);
  expect(watch.notes[0]).toEqual({
    code: "ContextKept",
    message: 'web stays in context "dev" though "x" is the current one: context "x" names no cluster',
    hint: "kubectl config view",
  });
  expect(log.lines).toEqual(["context kept", "context kept"]);
  refusal = undefined;
  current.set(undefined, "staging");
  await clock.advance(NOTICED_MS);
  expect(moves).toEqual(["web+db to staging"]);
});

test("each kubeconfig is followed by its own forwards", async () => {
  followers = [follower("web"), follower("other", { kubeconfig: "/k" })];
  current.set("/k", "staging");
  await clock.advance(NOTICED_MS);
  expect(moves).toEqual(["other to staging"]);
});

test("after a sleep it is looked at once", async () => {
  current.set(undefined, "staging");
  watch.wake();
  await clock.advance(CONTEXT_SETTLE_MS);
  expect(moves).toEqual(["web+db to staging"]);
});

test("nobody looks where nobody follows, or when all has ended", async () => {
  followers = [];
  watch.begin();
  watch.wake();
  expect(clock.pending).toBe(0);
  followers = [follower("web")];
  watch.begin();
  expect(clock.pending).toBe(1);
  watch[Symbol.dispose]();
  expect(clock.pending).toBe(0);
  watch.begin();
  expect(clock.pending).toBe(0);
});
