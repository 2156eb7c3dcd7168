/** Writes schema/forwards.v1.json from the schemas in src/schema: `npx tsx scripts/schema.ts`. */
import { writeFileSync } from "node:fs";
import { forwardsJsonSchema } from "../src/schema/jsonschema.ts";

const path = new URL("../schema/forwards.v1.json", import.meta.url);
writeFileSync(path, `${JSON.stringify(forwardsJsonSchema(), null, 2)}\n`);
