/** One forward of the merged files to its specs: defaults filled in, and the rules that need more than one field. */
import { DOCKER } from "./address.ts";
import { DEFAULT_PROBE, DEFAULT_RETRY, type ProbePart, type RetryPart } from "./behaviour.ts";
import type { OffReason } from "./details.ts";
import { placingOf } from "./entryplace.ts";
import { localOf, waysOf, type Way } from "./entryports.ts";
import { prefixOf } from "./field-check.ts";
import { quoted } from "../printable.ts";
import { rangeOf } from "./ranges.ts";
import {
  aboutOf,
  isGiven,
  inherited,
  type PlacedSpec,
  type RawEntry,
  type Surroundings,
} from "./rawentry.ts";
import type { Report } from "./report.ts";
import { positionOf, type Span } from "./source.ts";
import type { ForwardSpec, ProbeSpec, RetrySpec, Target } from "./spec.ts";

/** The specs of an entry, one for each of its ports; none after reporting what is wrong. */
export function specsOf(entry: RawEntry, around: Surroundings, report: Report): readonly PlacedSpec[] {
  const { values } = entry.fields;
  if (values.target === undefined) {
    const message = `${aboutOf(entry)} has no target`;
    report.error({ code: "NoTarget", message, hint: "target: svc/NAME", span: entry.nameAt });
    return [];
  }
  const common = commonOf(entry, values.target, around, report);
  if (common === undefined) return [];
  const ways = waysOf(entry, common.target, report);
  return ways.flatMap((way) => {
    const placed = specOf(entry, common, way, around, report);
    return placed ? [placed] : [];
  });
}

/** What the specs of an entry share, however many ports it has. */
type Common = Omit<ForwardSpec, "name" | "remotePort" | "protocol" | "local" | "source">;

function commonOf(
  entry: RawEntry,
  placed: { readonly namespace?: string; readonly target: Target },
  around: Surroundings,
  report: Report,
): Common | undefined {
  const { values } = entry.fields;
  const defaults = around.defaults.values;
  const placing = placingOf(entry, placed, around, report);
  if (placing === undefined) return undefined;
  const bind = inherited(values.bind, defaults.bind) ?? ["localhost"];
  const retry = retryOf(values.retry, defaults.retry);
  const hold = inherited(values.hold, defaults.hold);
  const ttl = inherited(values.ttl, defaults.ttl);
  const pick = inherited(values.pick, defaults.pick);
  const labels = inherited(values.labels, defaults.labels);
  const relay = { ...(values.relay === null ? {} : defaults.relay), ...values.relay };
  return {
    ...(values.description !== undefined && { description: values.description }),
    target: placed.target,
    bind: boundTo(bind, around.dockerAddress),
    ...placing,
    required: inherited(values.required, defaults.required) ?? true,
    ...(inherited(values.whenUnavailable, defaults.whenUnavailable) === "refuse" && {
      whenUnavailable: "refuse",
    }),
    ...(hold !== undefined && { holdMs: hold }),
    ...(ttl !== undefined && { ttlMs: ttl }),
    ...(retry && { retry }),
    ...(pick !== undefined && pick !== "sticky" && { pick }),
    ...(placing.context === undefined && around.protect.length > 0 && { protect: around.protect }),
    ...(isGiven(values.url) && { url: values.url }),
    ...(values.env && { env: values.env }),
    ...(values.hosts && { hosts: values.hosts }),
    ...(labels && { labels }),
    ...(Object.keys(relay).length > 0 && { relay }),
  };
}

function boundTo(bind: readonly string[], dockerAddress: string | undefined): readonly string[] {
  if (!bind.includes(DOCKER)) return bind;
  const others = bind.filter((address) => address !== DOCKER);
  if (dockerAddress === undefined) return others.length > 0 ? others : ["localhost"];
  return others.includes(dockerAddress) ? others : [...others, dockerAddress];
}

function specOf(
  entry: RawEntry,
  common: Common,
  way: Way,
  around: Surroundings,
  report: Report,
): PlacedSpec | undefined {
  const { values } = entry.fields;
  const defaults = around.defaults.values;
  const named = inherited(values.range, defaults.range);
  const range = rangeOf(entry.name, named, around.ranges);
  const at = fieldPlaces(entry, around);
  if (named !== undefined && range === undefined) {
    const known = around.ranges.map(({ name }) => name);
    const hint = known.length > 0 ? `ranges: ${known.join(", ")}` : `ranges: { ${named}: 8080-8089 }`;
    const message = `${prefixOf({ kind: "forward", name: entry.name })}there is no range ${quoted(named)}`;
    report.error({ code: "UnknownRange", message, hint, span: at("range") });
  }
  const local = localOf(entry, way, around, report);
  const protocol = way.protocol ?? inherited(values.protocol, defaults.protocol) ?? "tcp";
  const relayed = viaOf(entry, protocol, common.target, around, report);
  const probe = probeOf(entry, protocol, around, report);
  if (local === undefined || relayed === undefined || probe === undefined) return undefined;
  const spec: ForwardSpec = {
    ...common,
    name: way.name,
    ...(way.port && { remotePort: way.port }),
    protocol,
    local,
    ...(local === "auto" && range && { localRange: { first: range.first, last: range.last } }),
    ...(relayed === "relay" && { via: "relay" }),
    ...(probe !== "default" && { probe }),
    source: positionOf(way.name === entry.name ? entry.nameAt : way.localAt),
  };
  const profiles = inherited(values.profiles, defaults.profiles) ?? [];
  const bindWords = inherited(values.bind, defaults.bind) ?? ["localhost"];
  const off = offReason(entry, way, profiles, around);
  return { spec, entry, localAt: way.localAt, at, bindWords, profiles, off, range };
}

/** Where a field was said: in the forward, else in the defaults, else the forward's name. */
function fieldPlaces(entry: RawEntry, around: Surroundings): (field: string) => Span {
  return (field) => entry.fields.spans.get(field) ?? around.defaults.spans.get(field) ?? entry.nameAt;
}

function offReason(
  entry: RawEntry,
  way: Way,
  profiles: readonly string[],
  around: Surroundings,
): OffReason | undefined {
  const { values } = entry.fields;
  if (inherited(values.enabled, around.defaults.values.enabled) === false) return "disabled";
  const isNamed = around.named.has(entry.name) || around.named.has(way.name);
  const isOn = profiles.length === 0 || isNamed || profiles.some((profile) => around.profiles.has(profile));
  return isOn ? undefined : "profile";
}

function viaOf(
  entry: RawEntry,
  protocol: "tcp" | "udp",
  target: Target,
  around: Surroundings,
  report: Report,
): "relay" | "direct" | undefined {
  const own = entry.fields.values.via;
  const what = protocol === "udp" ? "UDP" : "a host";
  if (own === "direct" && (protocol === "udp" || target.kind === "host")) {
    const message = `${aboutOf(entry)}: ${what} is only reached through the relay`;
    const span = entry.fields.spans.get("via") ?? entry.nameAt;
    report.error({ code: "NeedsRelay", message, hint: "leave out via", span });
    return undefined;
  }
  return inherited(own, around.defaults.values.via) ?? "direct";
}

/** `default` where nothing is said that differs from the default. */
function probeOf(
  entry: RawEntry,
  protocol: "tcp" | "udp",
  around: Surroundings,
  report: Report,
): ProbeSpec | "default" | undefined {
  const own = entry.fields.values.probe;
  const fallback = own === null ? undefined : around.defaults.values.probe;
  if (!isGiven(own) && fallback === undefined) return "default";
  const probe = probeFrom(own ?? undefined, fallback);
  if (protocol === "tcp" || probe.type === "none" || probe.type === "tunnel") return probe;
  if (own?.type === undefined) return { ...probe, type: "tunnel" };
  const message = `${aboutOf(entry)}: probe ${quoted(probe.type)} is for TCP, and its protocol is UDP`;
  const span = entry.fields.spans.get("probe") ?? entry.nameAt;
  report.error({ code: "NotForUdp", message, hint: "probe: tunnel", span });
  return undefined;
}

function probeFrom(own: ProbePart | undefined, fallback: ProbePart | undefined): ProbeSpec {
  const first = <F extends keyof ProbeSpec>(field: F): ProbeSpec[F] =>
    own?.[field] ?? fallback?.[field] ?? DEFAULT_PROBE[field];
  return {
    type: first("type"),
    path: first("path"),
    status: first("status"),
    intervalMs: first("intervalMs"),
    timeoutMs: first("timeoutMs"),
    failures: first("failures"),
  };
}

function retryOf(own: RetryPart | null | undefined, fallback: RetryPart | undefined): RetrySpec | undefined {
  if (!isGiven(own) && (own === null || fallback === undefined)) return undefined;
  const first = (field: keyof RetrySpec): number => own?.[field] ?? fallback?.[field] ?? DEFAULT_RETRY[field];
  const initialMs = first("initialMs");
  return { initialMs, maxMs: Math.max(initialMs, first("maxMs")), resetAfterMs: first("resetAfterMs") };
}
