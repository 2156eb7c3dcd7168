/** Asks clusters what they say to forwards that do not run: targets, ports, rights, readiness. */
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import type { Clock, Place, Resolution } from "../deps.ts";
import type { Examined, SeenService, Surveyor } from "../surveyor.ts";
import { reasonOf } from "./failures.ts";
import type { KubeApi } from "./kubeapi.ts";
import { SERVICES, WORKLOADS, type Kind } from "./objects.ts";

type Forward = Parameters<Surveyor["examine"]>[0];

/** How long a cluster may take to say what a target means. */
const ANSWER_MS = 15_000;

/** A namespace with more Services than this is not listed further. */
const SERVICES_MAX = 500;

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });
const Version = z.object({ minor: z.string() });
const List = z.object({ items: z.nullish(z.array(z.unknown())) });

/** From this minor version of Kubernetes on, `get pods/portforward` is not enough for a WebSocket. */
const CREATE_ALONE_SINCE = 35;

/** Something that one may do to a kind of object. */
interface Right {
  readonly verb: string;
  /** API group; empty: the core. */
  readonly group: string;
  /** With its subresource: `pods/portforward`. */
  readonly resource: string;
  readonly namespace: string;
}

/** Owns the API it is given. */
export class ClusterSurvey implements Surveyor {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  /** Forwards of one namespace ask for the same rights. */
  readonly #answers = new Map<string, Promise<boolean>>();

  constructor(api: KubeApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  async examine(forward: Forward, signal: AbortSignal): Promise<Examined> {
    const { name } = forward;
    let place: Place;
    try {
      place = this.#pin(forward);
    } catch (thrown) {
      return { name, place: null, endpoint: null, lacking: [], reason: reasonOf(thrown) };
    }
    try {
      const rights = rightsFor(forward, place);
      const [lacking, missing] = await Promise.all([
        this.#lacking(place, [...rights.looking, ...rights.carrying], signal),
        this.#lacking(place, rights.carrying, signal),
      ]);
      const all = { name, place, endpoint: null, lacking };
      if (missing.length > 0 && !(await this.#mayByGet(place, rights, missing, signal)))
        return { ...all, reason: denied(place, lacking) };
      if (forward.target.kind === "host") return { ...all, reason: null };
      const resolution = await this.#resolve(forward, place, signal);
      if (resolution.kind === "none") return { ...all, reason: resolution.reason };
      const { pod, port } = resolution.endpoint;
      return { name, place, endpoint: { pod, port }, lacking, reason: null };
    } catch (thrown) {
      signal.throwIfAborted();
      return { name, place, endpoint: null, lacking: [], reason: reasonOf(thrown) };
    }
  }

  async services(
    where: Parameters<Surveyor["services"]>[0],
    signal: AbortSignal,
  ): Promise<{ readonly place: Place; readonly services: readonly SeenService[] }> {
    const place = this.#pin(where);
    const { namespace } = place;
    const { group, resource } = SERVICES;
    const call = { verb: "list", resource, namespace };
    const path = [...group, "namespaces", namespace, resource];
    const answer = await this.#api.rest(place).ask({ path, query: { limit: SERVICES_MAX }, call }, signal);
    const list = List.safeParse(answer);
    const items = list.success ? (list.data.items ?? []) : [];
    const services = items.map((item) => SERVICES.read(item)).filter((service) => service !== undefined);
    return {
      place,
      services: services.map(({ name, selector, ports, type }) => ({
        name,
        hasSelector: type !== "ExternalName" && Object.keys(selector).length > 0,
        ports,
      })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }

  #pin({ kubeconfig, context, namespace }: Pick<Forward, "kubeconfig" | "context" | "namespace">): Place {
    return this.#api.pin({ kubeconfig, context, namespace });
  }

  /** Before Kubernetes 1.35 a WebSocket wants no more than `get`. */
  async #mayByGet(
    place: Place,
    { carrying }: Rights,
    missing: readonly string[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const portForward = carrying.at(-1);
    if (missing.length > 1 || portForward === undefined || !missing[0]?.startsWith("create pods/portforward"))
      return false;
    return (await this.#takesGet(place, signal)) && this.#may(place, { ...portForward, verb: "get" }, signal);
  }

  async #takesGet(place: Place, signal: AbortSignal): Promise<boolean> {
    const call = { verb: "get", resource: "version", namespace: place.namespace };
    const answer = Version.safeParse(
      await this.#api.rest(place).ask({ path: ["version"], query: {}, call }, signal),
    );
    return answer.success && Number.parseInt(answer.data.minor, 10) < CREATE_ALONE_SINCE;
  }

  async #resolve(
    { target, remotePort, protocol, pick }: Forward,
    place: Place,
    signal: AbortSignal,
  ): Promise<Resolution> {
    const late = new AbortController();
    const timer = this.#clock.timer(ANSWER_MS, () => late.abort(noAnswer(place)));
    let following: Disposable | undefined;
    try {
      return await new Promise((tell, fail) => {
        const end = AbortSignal.any([signal, late.signal]);
        end.addEventListener("abort", () => fail(end.reason), { once: true });
        following = this.#api.follow({ place, target, remotePort, protocol, pick }, tell);
      });
    } finally {
      following?.[Symbol.dispose]();
      timer[Symbol.dispose]();
    }
  }

  async #lacking(place: Place, rights: readonly Right[], signal: AbortSignal): Promise<readonly string[]> {
    const allowed = await Promise.all(rights.map((right) => this.#may(place, right, signal)));
    return rights.flatMap(({ verb, resource, namespace }, at) => {
      if (allowed[at]) return [];
      const where = namespace === place.namespace ? "" : ` in namespace "${namespace}"`;
      return [`${verb} ${resource}${where}`];
    });
  }

  #may(place: Place, right: Right, signal: AbortSignal): Promise<boolean> {
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

/** What kfwd will do in the cluster for a forward. */
interface Rights {
  /** Where one of these is lacking there may be another way to look: whether there is, a look tells. */
  readonly looking: readonly Right[];
  /** Ends with the one for the connections themselves. */
  readonly carrying: readonly Right[];
}

function rightsFor({ target, protocol, via, relay }: Forward, { namespace }: Place): Rights {
  const needsRelay = target.kind === "host" || protocol === "udp" || via === "relay";
  const carrier = needsRelay ? (relay?.namespace ?? namespace) : namespace;
  const right = (verb: string, resource: string, group = "", where = namespace): Right => ({
    verb,
    group,
    resource,
    namespace: where,
  });
  const pods = [right("list", "pods"), right("watch", "pods")];
  const relayPods = ["create", "get", "list", "delete"].map((verb) => right(verb, "pods", "", carrier));
  return {
    looking: target.kind === "host" ? [] : [...pods, ...kindOf(target.kind).flatMap(lookAt)],
    carrying: [...(needsRelay ? relayPods : []), right("create", "pods/portforward", "", carrier)],
  };

  function lookAt({ resource, group }: Kind<unknown>): readonly Right[] {
    const apiGroup = group[0] === "apis" ? (group[1] ?? "") : "";
    return [right("list", resource, apiGroup), right("watch", resource, apiGroup)];
  }
}

/** What is looked at besides pods. */
function kindOf(kind: Forward["target"]["kind"]): readonly Kind<unknown>[] {
  switch (kind) {
    case "svc":
      return [SERVICES];
    case "deploy":
    case "sts":
    case "ds":
    case "rs":
    case "job":
      return [WORKLOADS[kind]];
    case "pod":
    case "selector":
    case "host":
      return [];
  }
}

function denied({ context, namespace }: Place, lacking: readonly string[]): Examined["reason"] {
  const message = `context "${context}" may not ${lacking.join(", ")} in namespace "${namespace}"`;
  return { code: "Forbidden", kind: "denied", message, hint: "ask for these rights in that namespace" };
}

function noAnswer({ context }: Place): KfwdError {
  return new KfwdError("UNREACHABLE", `context "${context}" gave no answer within ${ANSWER_MS / 1000} s`);
}
