/** What clusters say to forwards, a line each and under it what is to be done. */
import { visible } from "../../printable.ts";
import type { Examined } from "../../runtime/index.ts";
import type { Paint } from "./colour.ts";
import { reasonLines } from "./forward.ts";

/** Lines in the order of the forwards. */
export function clusterLines(examined: readonly Examined[], paint: Paint): readonly string[] {
  const width = Math.max(0, ...examined.map(({ name }) => name.length));
  return examined.flatMap(({ name, place, endpoint, lacking, reason }) => {
    const head = `${name.padEnd(width)}  `;
    if (reason !== null) {
      const [first = "", ...others] = reasonLines(reason);
      return [`${paint.bad("✖")} ${head}${first}`, ...others.map((line) => paint.dim(`    ${line}`))];
    }
    const where = place === null ? "" : `  (${visible(place.context)}, ${visible(place.namespace)})`;
    const what = endpoint === null ? "through the relay" : `${visible(endpoint.pod)}:${endpoint.port}`;
    const less =
      lacking.length === 0 ? [] : [paint.dim(`    though it may not ${visible(lacking.join(", "))}`)];
    return [`${paint.good("✔")} ${head}${what}${paint.dim(where)}`, ...less];
  });
}
