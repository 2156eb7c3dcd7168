import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VERB, nextRung, type Refusal, type Rung } from "./climb.ts";

const RUNGS: readonly Rung[] = ["spdy", "spdyByGet", "tunnel", "channels"];

/** `status` of an API server is its own `Status`, of a stranger any other answer. */
function refusal(rung: Rung, by: Refusal["by"], status = 0): Refusal {
  return { rung, by, status };
}

const stripped = refusal("spdy", "server", 400);
const noTunnel = refusal("tunnel", "stranger", 403);

describe("the next way to ask for", () => {
  test.each<[string, readonly Refusal[], Rung | undefined]>([
    ["begins with SPDY", [], "spdy"],
    ["goes on by WebSocket when the upgrade was taken away", [stripped], "tunnel"],
    ["goes on by WebSocket when a proxy answers", [refusal("spdy", "stranger", 502)], "tunnel"],
    ["goes on by WebSocket when nobody answers", [refusal("spdy", "silence")], "tunnel"],
    ["tries the other verb where `create` is denied", [refusal("spdy", "server", 403)], "spdyByGet"],
    [
      "tries no more where both verbs are",
      [refusal("spdy", "server", 403), refusal("spdyByGet", "server", 403)],
      undefined,
    ],
    [
      "goes on by WebSocket where SPDY by the other verb does not get through",
      [refusal("spdy", "server", 403), refusal("spdyByGet", "stranger", 403)],
      "tunnel",
    ],
    ["ends with channels", [stripped, noTunnel], "channels"],
    [
      "leads to channels from a gateway's page, too",
      [stripped, refusal("tunnel", "stranger", 200)],
      "channels",
    ],
    ["leads to no channels from a denial", [stripped, refusal("tunnel", "server", 403)], undefined],
    ["leads to no channels from trouble behind", [stripped, refusal("tunnel", "stranger", 502)], undefined],
    ["leads to no channels from silence", [stripped, refusal("tunnel", "silence")], undefined],
    ["leads to no channels from a broken connection", [stripped, refusal("tunnel", "break")], undefined],
    ["asks once more by what broke, before channels", [refusal("spdy", "break"), noTunnel], "spdy"],
    [
      "leads to channels when that breaks again",
      [refusal("spdy", "break"), noTunnel, refusal("spdy", "break")],
      "channels",
    ],
    ["is none after all", [stripped, noTunnel, refusal("channels", "stranger", 403)], undefined],
    ["is none after 401", [refusal("spdy", "stranger", 401)], undefined],
    ["is none after the server's own 404", [refusal("spdy", "server", 404)], undefined],
    ["is none after the server's own 500", [refusal("tunnel", "server", 500)], undefined],
  ])("%s", (_what, refusals, wanted) => {
    expect(nextRung(refusals, undefined)).toBe(wanted);
  });

  test.each(RUNGS)("begins with %s where that worked last", (proven) => {
    expect(nextRung([], proven)).toBe(proven);
  });

  test("climbs from the first when what worked does so no more", () => {
    const barred = refusal("channels", "stranger", 403);
    expect(nextRung([barred], "channels")).toBe("spdy");
    expect(nextRung([barred, stripped], "channels")).toBe("tunnel");
    expect(nextRung([barred, stripped, noTunnel], "channels")).toBe(undefined);
  });

  const anyRefusal = fc.constantFrom<Pick<Refusal, "by" | "status">>(
    { by: "break", status: 0 },
    { by: "silence", status: 0 },
    ...[200, 400, 401, 403, 404, 502].flatMap((status) => [
      { by: "server", status } as const,
      { by: "stranger", status } as const,
    ]),
  );

  test("whatever is answered: no way twice but one that broke, no verb that was denied, and an end", () => {
    fc.assert(
      fc.property(
        fc.array(anyRefusal, { minLength: 9, maxLength: 9 }),
        fc.option(fc.constantFrom(...RUNGS), { nil: undefined }),
        (answers, proven) => {
          const refusals: Refusal[] = [];
          for (const answer of answers) {
            const rung = nextRung(refusals, proven);
            if (rung === undefined) return;
            const before = refusals.filter((each) => each.rung === rung);
            expect(before.length).toBeLessThan(2);
            expect(before.every(({ by }) => by === "break")).toBe(true);
            const denied = refusals.filter(({ by, status }) => by === "server" && status === 403);
            if (rung !== proven) expect(denied.map((each) => VERB[each.rung])).not.toContain(VERB[rung]);
            refusals.push({ rung, ...answer });
          }
          expect.fail("it goes on for ever");
        },
      ),
    );
  });
});
