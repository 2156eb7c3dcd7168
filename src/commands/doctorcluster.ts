/** What `kfwd doctor` hears from clusters: each context, and each forward in it. */
import type { KfwdError } from "../errors.ts";
import { isRelayed } from "../relayed.ts";
import {
  NO_NAMES,
  troubleFinding,
  type Attended,
  type AttendHow,
  type Examined,
  type Finding,
  type PrivateNames,
  type Surveyor,
} from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";

/** A context, with the forwards that lead there. */
interface Ward {
  readonly where: Pick<ForwardSpec, "kubeconfig" | "context" | "namespace">;
  readonly forwards: readonly ForwardSpec[];
}

/** All that was heard. */
export interface ClusterLook {
  readonly contexts: readonly Finding[];
  readonly transport: readonly Finding[];
  readonly rights: readonly Finding[];
  readonly targets: readonly Finding[];
  readonly names: PrivateNames;
  /** Where forwards lead, by name. */
  readonly places: ReadonlyMap<string, { readonly context: string }>;
}

/** Cuts short what does not answer. */
export type Bounded = <T>(work: Promise<T>, otherwise: (error: KfwdError) => T) => Promise<T>;

/** `where`: what is looked at where there are no forwards. Never throws but for the signal. */
export async function lookAtClusters(
  survey: Surveyor,
  {
    forwards,
    where,
    how,
  }: { readonly forwards: readonly ForwardSpec[]; readonly where: Ward["where"]; readonly how: AttendHow },
  bounded: Bounded,
  signal: AbortSignal,
): Promise<ClusterLook> {
  const wards = forwards.length === 0 ? [{ where, forwards: [] }] : wardsOf(forwards);
  const looks = await Promise.all(wards.map((ward) => lookAtWard(survey, ward, how, bounded, signal)));
  return {
    contexts: looks.flatMap((look) => look.contexts),
    transport: looks.flatMap((look) => look.transport),
    rights: looks.flatMap((look) => look.rights),
    targets: looks.flatMap((look) => look.targets),
    names: joinNames(looks.map((look) => look.names)),
    places: new Map(looks.flatMap((look) => [...look.places])),
  };
}

function wardsOf(forwards: readonly ForwardSpec[]): readonly Ward[] {
  const wards = new Map<string, ForwardSpec[]>();
  for (const forward of forwards) {
    const key = JSON.stringify([forward.kubeconfig, forward.context]);
    wards.set(key, [...(wards.get(key) ?? []), forward]);
  }
  return [...wards.values()].flatMap((all) =>
    all[0] === undefined ? [] : [{ where: all[0], forwards: all }],
  );
}

async function lookAtWard(
  survey: Surveyor,
  { where, forwards }: Ward,
  how: AttendHow,
  bounded: Bounded,
  signal: AbortSignal,
): Promise<ClusterLook> {
  const late = (error: KfwdError): Attended => ({
    place: null,
    findings: [troubleFinding("server", where.context, error)],
    names: NO_NAMES,
  });
  const { place, findings, names } = await bounded(survey.attend(where, how, signal), late);
  const places = new Map(place === null ? [] : forwards.map(({ name }) => [name, place] as const));
  const namespaces = forwards.flatMap(({ namespace }) => namespace ?? []);
  const heard = {
    contexts: findings,
    names: { ...names, namespaces: [...names.namespaces, ...namespaces] },
    places,
  };
  const isDeaf =
    place === null ||
    how === "leave" ||
    findings.some(({ id, state }) => state === "bad" && id !== "context");
  if (isDeaf) {
    const left = forwards.map(({ name }): Finding => unknown("rights", name, "not asked: see above"));
    return { ...heard, transport: [], rights: left, targets: [] };
  }
  const examined = await Promise.all(
    forwards.map((forward) =>
      bounded<Examined | KfwdError>(survey.examine(forward, signal), (error) => error),
    ),
  );
  const judged = examined.map((one, at) => judge(one, forwards[at]));
  const transport = await transportOf(survey, forwards, examined, bounded, signal);
  return {
    ...heard,
    transport: transport === undefined ? [unknown("transport", place.context, NO_POD)] : [transport],
    rights: judged.map(({ rights }) => rights),
    targets: judged.flatMap(({ target }) => target ?? []),
  };
}

const NO_POD = "not tried: no forward leads straight to a ready pod";

/** Through a pod of a forward that needs no relay, whose own pod is in another place. */
async function transportOf(
  survey: Surveyor,
  forwards: readonly ForwardSpec[],
  examined: readonly (Examined | KfwdError)[],
  bounded: Bounded,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const at = examined.findIndex((one, index) => {
    const forward = forwards[index];
    return "endpoint" in one && one.endpoint !== null && forward !== undefined && !isRelayed(forward);
  });
  const found = examined[at];
  if (found === undefined || !("endpoint" in found)) return undefined;
  const { place, endpoint } = found;
  if (place === null || endpoint === null) return undefined;
  return bounded(survey.rungs(place, endpoint.pod, signal), (error) =>
    troubleFinding("transport", place.context, error),
  );
}

interface Judged {
  readonly rights: Finding;
  readonly target: Finding | undefined;
}

const ACCESS: ReadonlySet<string> = new Set(["denied", "unreachable", "protocol"]);

function judge(examined: Examined | KfwdError, forward: ForwardSpec | undefined): Judged {
  const { name = "", required = true } = forward ?? {};
  // Where there is much to ask, the pace of our own requests is what takes the time.
  if (!("endpoint" in examined))
    return { rights: unknown("rights", name, examined.message), target: undefined };
  const { endpoint, lacking, portForward, reason } = examined;
  const bad = (id: string, exit: number): Finding => ({
    id,
    about: name,
    state: required ? "bad" : "warn",
    says: reason?.message ?? "",
    ...(reason?.hint !== undefined && { hint: reason.hint }),
    ...(required && { exit }),
  });
  if (reason !== null && ACCESS.has(reason.kind)) return { rights: bad("rights", 4), target: undefined };
  const rights = rightsOf(name, lacking, portForward);
  if (reason !== null) return { rights, target: bad("target", 1) };
  const says =
    endpoint === null
      ? "through the relay, which alone can tell"
      : `pod ${endpoint.pod}, port ${endpoint.port}`;
  const target: Finding = { id: "target", about: name, state: endpoint === null ? "unknown" : "good", says };
  return { rights, target };
}

function rightsOf(name: string, lacking: readonly string[], portForward: Examined["portForward"]): Finding {
  const finding = { id: "rights", about: name };
  const hint = "kfwd rbac prints what is to be granted";
  if (portForward?.create === false) {
    const says =
      "connections by get pods/portforward alone, which is not enough from Kubernetes 1.35 on: create is lacking";
    return { ...finding, state: "warn", says, hint };
  }
  if (lacking.length > 0) {
    return { ...finding, state: "warn", says: `works, though it may not ${lacking.join(", ")}`, hint };
  }
  const less = portForward?.get === false ? ", but get pods/portforward, which only WebSockets need" : "";
  return { ...finding, state: "good", says: `all that is needed${less}` };
}

function unknown(id: string, about: string, says: string): Finding {
  return { id, about, state: "unknown", says };
}

function joinNames(all: readonly PrivateNames[]): PrivateNames {
  const join = (key: keyof PrivateNames): readonly string[] => [...new Set(all.flatMap((one) => one[key]))];
  return {
    hosts: join("hosts"),
    contexts: join("contexts"),
    namespaces: join("namespaces"),
    clusters: join("clusters"),
    users: join("users"),
  };
}
