/** Lints of ports and addresses. */
import { hostPort } from "../hostport.ts";
import { isMetadataHost } from "../linklocal.ts";
import { AddressClaims, DOCKER, isLoopback } from "./address.ts";
import { prefixOf } from "./field-check.ts";
import type { Linter } from "./lintlevels.ts";
import { UNPRIVILEGED_FIRST } from "./port.ts";
import { either, quoted } from "../printable.ts";
import { freePorts, type PlacedRange } from "./ranges.ts";
import type { PlacedSpec } from "./rawentry.ts";

/** What Linux hands out to programs that ask for any port. */
const EPHEMERAL = { first: 32_768, last: 60_999 } as const;
const AIRPLAY_PORTS = [5000, 7000];
/** The ports to which browsers and `fetch` refuse to go, of those that a forward may have. */
const BAD_PORTS = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080,
]);

/** Some ports of a range that no forward has; the same for all who ask, or many clashes in a full range would take long. */
type FreeIn = (range: PlacedRange) => readonly number[];

/** What is wrong with where the forwards that are on listen, and where they lead. */
export function lintPorts(
  forwards: readonly PlacedSpec[],
  ranges: readonly PlacedRange[],
  published: ReadonlyMap<number, string>,
  linter: Linter,
): void {
  const taken = new Set(forwards.flatMap(({ spec }) => (spec.local === "auto" ? [] : [spec.local])));
  const known = new Map<PlacedRange, readonly number[]>();
  const freeIn: FreeIn = (range) => {
    const free = known.get(range) ?? freePorts(range, taken);
    known.set(range, free);
    return free;
  };
  lintOverlaps(forwards, freeIn, linter);
  for (const forward of forwards) {
    lintRange(forward, freeIn, linter);
    lintBind(forward, linter);
    lintHost(forward, linter);
    lintNumber(forward, published, linter);
  }
  for (const [index, range] of ranges.entries()) {
    const other = ranges.slice(0, index).find((one) => one.first <= range.last && range.first <= one.last);
    if (other === undefined) continue;
    const message = `ranges ${quoted(other.name)} and ${quoted(range.name)} overlap`;
    const related = { message: `${quoted(other.name)} is here`, span: other.at };
    linter.tell("range-overlap", { message, hint: "give each its own ports", span: range.at, related });
  }
}

/** Tells each forward that wants an address, port and protocol an earlier one has; TCP and UDP do not meet. */
function lintOverlaps(forwards: readonly PlacedSpec[], freeIn: FreeIn, linter: Linter): void {
  const claimsByPort = new Map<string, AddressClaims<PlacedSpec>>();
  for (const forward of forwards) {
    const { bind, local, protocol } = forward.spec;
    if (local === "auto") continue;
    const port = `${local}/${protocol}`;
    const claims = claimsByPort.get(port) ?? new AddressClaims<PlacedSpec>();
    claimsByPort.set(port, claims);
    for (const address of bind) {
      const holder = claims.claim(address, forward);
      if (holder === undefined) continue;
      tellOverlap(holder, forward, hostPort(address, port), freeIn, linter);
      break;
    }
  }
}

function tellOverlap(
  first: PlacedSpec,
  second: PlacedSpec,
  address: string,
  freeIn: FreeIn,
  linter: Linter,
): void {
  const message = `${quoted(first.spec.name)} and ${quoted(second.spec.name)} both use ${address}`;
  const related = { message: `${quoted(first.spec.name)} is here`, span: first.localAt };
  const range = second.range ?? first.range;
  const [free] = range ? freeIn(range) : [];
  const hint =
    range === undefined || free === undefined
      ? 'use another port, or "local: auto"'
      : `use "local: auto", or a free port of range ${range.name}: ${free}`;
  linter.tell("duplicate-local", { message, hint, span: second.localAt, related });
}

function lintRange({ spec, range, localAt }: PlacedSpec, freeIn: FreeIn, linter: Linter): void {
  const { local, name } = spec;
  if (range === undefined || local === "auto" || (local >= range.first && local <= range.last)) return;
  const free = freeIn(range);
  const message = `${quoted(name)} uses ${local}, range ${range.name} is ${range.first}-${range.last}`;
  const hint = free.length > 0 ? `free: ${free.join(", ")}` : "no port of the range is free: widen it";
  const related = { message: `${range.name} is here`, span: range.at };
  linter.tell("out-of-range", { message, hint, span: localAt, related }, range.level);
}

function lintBind({ entry, at, bindWords }: PlacedSpec, linter: Linter): void {
  const isOwn = entry.fields.spans.has("bind");
  const where = isOwn ? ({ kind: "forward", name: entry.name } as const) : ({ kind: "defaults" } as const);
  const open = bindWords.filter((address) => address !== DOCKER && !isLoopback(address));
  if (open.length === 0) return;
  const message = `${prefixOf(where)}other machines can connect through ${open.slice(0, 3).join(", ")}`;
  linter.tell("bind-public", { message, hint: "bind: localhost", span: at("bind") });
}

function lintHost({ spec: { name, target }, at }: PlacedSpec, linter: Linter): void {
  if (target.kind !== "host" || !isMetadataHost(target.name)) return;
  const host = quoted(target.name);
  const message = `forward ${quoted(name)} leads to ${host}, where a cloud's machines get their credentials`;
  const hint = `\`kfwd up\` refuses it without --allow-metadata ${target.name}`;
  linter.tell("metadata-host", { message, hint, span: at("target") });
}

function lintNumber(
  { spec, localAt }: PlacedSpec,
  published: ReadonlyMap<number, string>,
  linter: Linter,
): void {
  const { local, name, url } = spec;
  if (local === "auto") return;
  const binds = (): string => `forward ${quoted(name)} binds local port ${local}`;
  if (local < UNPRIVILEGED_FIRST && linter.hears("privileged")) {
    const message = `${binds()}: ports below ${UNPRIVILEGED_FIRST} need root on most systems`;
    linter.tell("privileged", { message, hint: `local: ${local + 8000}`, span: localAt });
  }
  if (local >= EPHEMERAL.first && local <= EPHEMERAL.last && linter.hears("ephemeral")) {
    const message = `${binds()}: Linux hands out ${EPHEMERAL.first}-${EPHEMERAL.last} to any program`;
    linter.tell("ephemeral", { message, hint: `use a port below ${EPHEMERAL.first}`, span: localAt });
  }
  if (AIRPLAY_PORTS.includes(local) && spec.protocol === "tcp") {
    const message = `${binds()}: macOS has its AirPlay Receiver on ${either(AIRPLAY_PORTS.map(String))}`;
    linter.tell("macos-airplay", { message, hint: `local: ${local + 1}`, span: localAt });
  }
  if (BAD_PORTS.has(local) && isWeb(spec)) {
    const message = `${binds()}: browsers and fetch refuse to go there ("bad port")`;
    const hint = url === undefined ? "use another port" : "use another port, since it has a url";
    linter.tell("bad-port", { message, hint, span: localAt });
  }
  const service = published.get(local);
  if (service !== undefined && spec.protocol === "tcp") {
    const message = `${binds()}, which ${service} publishes too`;
    linter.tell("compose-clash", { message, hint: "use another port for one of them", span: localAt });
  }
}

function isWeb({ url, remotePort, protocol }: PlacedSpec["spec"]): boolean {
  if (protocol !== "tcp") return false;
  if (url !== undefined) return /^https?:/i.test(url);
  return remotePort?.port === "http" || remotePort?.port === "https";
}
