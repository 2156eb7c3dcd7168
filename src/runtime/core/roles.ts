/** The least Roles that forwards need: a rule for each kind of object, none of which could be left out. */
import { needsOf, type Forwarding, type HelpfulVerb, type Need } from "./rights.ts";

/** A forward, and where it leads; undefined: as the kubeconfig of whoever uses it says. */
export interface PlacedForward extends Forwarding {
  readonly name: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

/** A rule of a Role, and what it is for. */
export interface RoleRule {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Those of the verbs that could be spared, see {@link Need.helpful}. */
  readonly helpful: readonly HelpfulVerb[];
  /** The forwards that need it. */
  readonly forwards: readonly string[];
  readonly why: string;
  readonly job: Need["job"];
}

/** What one namespace has to allow. */
export interface NeededRole {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  readonly rules: readonly RoleRule[];
}

interface Draft extends RoleRule {
  readonly forwards: string[];
}

/** One for each namespace, in the order in which the forwards come to them. */
export function rolesFor(forwards: readonly PlacedForward[]): readonly NeededRole[] {
  const places = new Map<string, Omit<NeededRole, "rules"> & { readonly drafts: Map<string, Draft> }>();
  for (const forward of forwards) {
    const { name, kubeconfig, context } = forward;
    for (const need of needsOf(forward)) {
      const { where, verbs, ...rest } = need;
      const namespace = (where === "relay" ? forward.relay?.namespace : undefined) ?? forward.namespace;
      const key = JSON.stringify([kubeconfig, context, namespace]);
      const place = places.get(key) ?? { kubeconfig, context, namespace, drafts: new Map<string, Draft>() };
      places.set(key, place);
      const ruleKey = `${need.job} ${need.group}/${need.resource}`;
      const draft = place.drafts.get(ruleKey) ?? {
        ...rest,
        verbs: [...verbs, ...need.helpful.map(({ verb }) => verb)],
        forwards: [],
      };
      place.drafts.set(ruleKey, draft);
      if (!draft.forwards.includes(name)) draft.forwards.push(name);
    }
  }
  return [...places.values()].map(({ drafts, ...place }) => ({ ...place, rules: inOrder(drafts) }));
}

/** What an earlier rule allows already is left out. */
function inOrder(drafts: ReadonlyMap<string, Draft>): readonly RoleRule[] {
  const rank = (rule: RoleRule): number => (rule.job !== "carry" ? 0 : rule.resource === "pods" ? 1 : 2);
  const rules = [...drafts.values()].toSorted((a, b) => rank(a) - rank(b));
  const allowed = new Set<string>();
  return rules.map((rule) => {
    const isNew = (verb: string): boolean => !allowed.has(`${verb} ${rule.group}/${rule.resource}`);
    const verbs = rule.verbs.filter(isNew);
    for (const verb of verbs) allowed.add(`${verb} ${rule.group}/${rule.resource}`);
    return { ...rule, verbs, helpful: rule.helpful.filter(({ verb }) => verbs.includes(verb)) };
  });
}
