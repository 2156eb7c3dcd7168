/** A forwards.yaml of sixty forwards such as a large team has. */

const FORWARDS = 60;

/** Three of four in one line, as people write them; the others with all that is usual. */
export function sixtyForwards(): string {
  const lines = ["version: 1", "name: sixty", "namespace: shop", "forwards:"];
  for (let at = 0; at < FORWARDS; at++) {
    const local = 8000 + at;
    if (at % 4 === 0) {
      lines.push(
        `  service-${at}:`,
        `    description: "The service number ${at}, as its team calls it"`,
        `    target: sts/service-${at}`,
        "    port: 5432",
        `    local: ${local}`,
        "    bind: 127.0.0.1",
        "    required: false",
      );
    } else {
      lines.push(`  service-${at}: "${local}:svc/service-${at}:http"`);
    }
  }
  return `${lines.join("\n")}\n`;
}
