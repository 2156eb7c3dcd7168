/**
 * What a cluster must let a forward do, and what for: the one list from which `kfwd rbac` makes Roles, `check --cluster`
 * and `doctor` their questions, and refusals their advice.
 */
import { isRelayed } from "../../relayed.ts";
import type { ForwardSpec } from "../../schema/spec.ts";

/** The part of a forward that decides. */
export type Forwarding = Pick<ForwardSpec, "target" | "protocol" | "via" | "relay">;

/** One kind of object, and what is done to it. */
export interface Need {
  /** API group; empty: the core. */
  readonly group: string;
  /** Plural, with its subresource: `pods/portforward`. */
  readonly resource: string;
  /** Without one of these it does not work. */
  readonly verbs: readonly string[];
  /** Without these it does, less well. */
  readonly helpful: readonly HelpfulVerb[];
  /** Whose namespace: the target's, or that of its relay. */
  readonly where: "target" | "relay";
  /** `look`: to find the target; `lookFurther`: only for some Services; `carry`: for the connections themselves. */
  readonly job: "look" | "lookFurther" | "carry";
  /** To stand after "to". */
  readonly why: string;
}

/** A verb that could be spared. */
export interface HelpfulVerb {
  readonly verb: string;
  /** What it is like without, in a sentence of its own. */
  readonly without: string;
}

/** What relays run: a stock image; `relay.image` names another one. */
export const RELAY_IMAGE = "docker.io/library/node:24-alpine";

const WATCH: HelpfulVerb = { verb: "watch", without: "changes in the cluster are seen after 5 to 30 s" };

/** In the order in which they are used; the last is for the connections. */
export function needsOf(forward: Forwarding): readonly Need[] {
  const { target } = forward;
  const relayed = isRelayed(forward);
  const pods = look("", "pods", "find the pods behind a target and see which are ready");
  const own = OBJECTS[target.kind].map((need) => ({ ...need, where: "target" }) as const);
  return [
    ...own,
    ...(target.kind === "host" ? [] : [pods]),
    ...(relayed ? [RELAY_PODS] : []),
    { ...PORT_FORWARD, where: relayed ? "relay" : "target" },
  ];
}

function look(group: string, resource: string, why: string): Need {
  const verbs = { verbs: ["list"], helpful: [WATCH] };
  return { group, resource, ...verbs, where: "target", job: "look", why };
}

function lookAtWorkload(group: string, resource: string): readonly Need[] {
  return [look(group, resource, `find the pods that belong to ${resource}`)];
}

/** What is looked at besides pods. */
const OBJECTS: Readonly<Record<ForwardSpec["target"]["kind"], readonly Need[]>> = {
  svc: [
    look("", "services", "find Services, their ports and selectors"),
    {
      ...look("discovery.k8s.io", "endpointslices", "find the pods of Services that have no selector"),
      job: "lookFurther",
    },
  ],
  deploy: lookAtWorkload("apps", "deployments"),
  sts: lookAtWorkload("apps", "statefulsets"),
  ds: lookAtWorkload("apps", "daemonsets"),
  rs: lookAtWorkload("apps", "replicasets"),
  job: lookAtWorkload("batch", "jobs"),
  pod: [],
  selector: [],
  host: [],
};

const RELAY_PODS: Need = {
  group: "",
  resource: "pods",
  verbs: ["create", "list", "delete"],
  helpful: [WATCH, { verb: "get", without: "it is not said why a relay pod does not start" }],
  where: "relay",
  job: "carry",
  why: "start the relay, see that it runs and remove it",
};

const PORT_FORWARD: Need = {
  group: "",
  resource: "pods/portforward",
  verbs: ["create"],
  helpful: [
    {
      verb: "get",
      without:
        "nothing gets through a proxy that lets only WebSockets pass; from Kubernetes 1.35 on these need create, too",
    },
  ],
  where: "target",
  job: "carry",
  why: "open connections",
};
