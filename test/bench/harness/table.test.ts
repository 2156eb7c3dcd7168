import { expect, test } from "vitest";
import { judge } from "./figures.ts";
import { table } from "./table.ts";

test("columns stand under their heads, with medians, ranges, goals and verdicts", () => {
  const findings = [
    judge({
      name: "up-1, RTT 0 ms",
      unit: "ms",
      theirs: [231.4, 240],
      ours: [110.2, 119.6],
      goal: { of: "ratio", is: "<=", limit: 0.7 },
    }),
    judge({
      name: "memory-50, RSS",
      unit: "MB",
      theirs: [4731],
      ours: [70.26],
      goal: { of: "value", is: "<=", limit: 65 },
    }),
    judge({ name: "status", unit: "ms", peer: "node -e 0", theirs: [2.346], ours: [9] }),
  ];
  expect(`\n${table(findings)}\n`).toBe(`
row                         kubectl               kfwd                  ratio               goal      verdict
up-1, RTT 0 ms              236 ms [231..240]     115 ms [110..120]     0.49x [0.48..0.50]  <= 0.7x   reached
memory-50, RSS              4731 MB [4731..4731]  70.3 MB [70.3..70.3]  0.01x [0.01..0.01]  <= 65 MB  missed
status (against node -e 0)  2.35 ms [2.35..2.35]  9 ms [9..9]           3.84x [3.84..3.84]  -         -
`);
});
