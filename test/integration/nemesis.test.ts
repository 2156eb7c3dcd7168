import { describe, expect, test } from "vitest";
import { NEMESES } from "../soak/nemeses.ts";
import { RECOVERY_MAX_MS, soak } from "../soak/soak.ts";

/** Faults are as many times shorter than in `npm run soak`, so that all have their turn. */
const HASTE = 10;

/** However slow the machine is. */
const STRIKES = 8;

/** KFWD_SOAK_SEED shows a failure again. */
const SEED = Number(process.env["KFWD_SOAK_SEED"] ?? 20_261_121);

describe.runIf(process.platform === "linux")(
  "while pods, the network and the API server fail in turn",
  () => {
    test(
      "every byte that arrives is the right one, what is cut is reset, and nothing is left",
      { timeout: 240_000 },
      async () => {
        const said: string[] = [];
        const report = await soak({
          where: "sandbox",
          mode: "foreground",
          seed: SEED,
          seconds: 15,
          strikes: STRIKES,
          haste: HASTE,
          nemeses: NEMESES,
          signal: new AbortController().signal,
          say: (line) => said.push(line),
        });
        const told = [`seed ${SEED}`, ...said].join("\n");
        expect(report.violations, told).toEqual([]);
        expect(report.wrong, told).toEqual([]);
        expect(report.strikes.length, told).toBeGreaterThanOrEqual(STRIKES);
        expect(Math.max(...report.strikes.map(({ readyMs }) => readyMs))).toBeLessThan(RECOVERY_MAX_MS);
        const kinds = ["ask", "bulk", "short", "long", "half-close", "rude", "probe"];
        for (const kind of kinds)
          expect(report.clients[kind]?.["whole"], `${kind}: ${told}`).toBeGreaterThan(0);
      },
    );
  },
);
