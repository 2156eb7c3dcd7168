/** Asks API servers what their user may do: SelfSubjectAccessReviews, each question once. */
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import { needsOf, type Forwarding, type Need } from "../core/rights.ts";
import type { Place } from "../deps.ts";
import type { KubeApi } from "./kubeapi.ts";

/** Something that one may do to a kind of object. */
export interface Right {
  readonly verb: string;
  /** API group; empty: the core. */
  readonly group: string;
  /** With its subresource: `pods/portforward`. */
  readonly resource: string;
  readonly namespace: string;
}

/** What kfwd will do in the cluster for a forward. */
export interface Rights {
  /** Where one of these is lacking there may be another way to look: whether there is, a look tells. */
  readonly looking: readonly Right[];
  /** Without one of these nothing is carried, but for {@link Rights.creating}, see there. */
  readonly carrying: readonly Right[];
  /** To open connections; before Kubernetes 1.35 `get` alone is enough for a WebSocket. */
  readonly creating: Right;
}

/** What is asked for a forward that leads to `place`. Only some Services need `lookFurther`, and a look tells which. */
export function rightsFor(forward: Forwarding, place: Place): Rights {
  const needs = needsOf(forward);
  const rightsOf = (need: Need, verbs: readonly string[]): readonly Right[] => {
    const { group, resource, where } = need;
    const namespace = (where === "relay" ? forward.relay?.namespace : undefined) ?? place.namespace;
    return verbs.map((verb) => ({ verb, group, resource, namespace }));
  };
  const last = needs.at(-1);
  const [creating] = last === undefined ? [] : rightsOf(last, ["create"]);
  if (creating === undefined) throw new KfwdError("INTERNAL", "a forward that needs no connection");
  return {
    looking: needs
      .filter(({ job }) => job === "look")
      .flatMap((need) => rightsOf(need, [...need.verbs, ...need.helpful.map(({ verb }) => verb)])),
    carrying: needs
      .filter((need) => need.job === "carry" && need !== last)
      .flatMap((need) => rightsOf(need, need.verbs)),
    creating,
  };
}

/** A right in the words of RBAC; the namespace is said where it is not the forward's own. */
export function rightText({ verb, resource, namespace }: Right, place: Place): string {
  return `${verb} ${resource}${namespace === place.namespace ? "" : ` in namespace "${namespace}"`}`;
}

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Forwards of one namespace ask for the same rights, so answers are kept as long as this lives. */
export class Reviews {
  readonly #api: KubeApi;
  readonly #answers = new Map<string, Promise<boolean>>();

  constructor(api: KubeApi) {
    this.#api = api;
  }

  /** Those of the rights that its user has not. @throws KfwdError of exit status 4, or the signal's reason. */
  async lacking(place: Place, rights: readonly Right[], signal: AbortSignal): Promise<readonly Right[]> {
    const allowed = await Promise.all(rights.map((right) => this.may(place, right, signal)));
    return rights.filter((_, at) => !allowed[at]);
  }

  may(place: Place, right: Right, signal: AbortSignal): Promise<boolean> {
    const key = JSON.stringify([place.kubeconfig, place.context, right]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#review(place, right, AbortSignal.any([signal])); // each has its own listeners
    this.#answers.set(key, answer);
    return answer;
  }

  async #review(
    place: Place,
    { verb, group, resource, namespace }: Right,
    signal: AbortSignal,
  ): Promise<boolean> {
    const [plural = "", subresource] = resource.split("/");
    const path = ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"];
    const call = { verb: "create", resource: "selfsubjectaccessreviews", namespace };
    const attributes = { namespace, verb, group, resource: plural, ...(subresource && { subresource }) };
    const body = {
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      spec: { resourceAttributes: attributes },
    };
    const answer = Review.safeParse(
      await this.#api.rest(place).ask({ path, query: {}, call, deed: { method: "POST", body } }, signal),
    );
    if (answer.success) return answer.data.status.allowed;
    throw new KfwdError("PROTOCOL", `context "${place.context}" does not say what its user may do`);
  }
}
