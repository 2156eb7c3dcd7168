import fc from "fast-check";
import { test } from "vitest";
import { answers, project } from "../../test/fuzz/forwards.ts";

test("files by grammar end in specs or in reasons that can be shown", () => {
  fc.assert(
    fc.property(project, (input) => answers(input, Infinity)),
    { numRuns: 400 },
  );
});
