/** Asks clusters what they say to forwards that do not run: targets, ports, rights, readiness. */
import * as z from "zod/mini";
import { ERRORS, KfwdError } from "../../errors.ts";
import type { Clock, Place, Resolution } from "../deps.ts";
import type { Finding } from "../checkup.ts";
import type { Attended, Examined, SeenService, ServiceObjects, Surveyor } from "../surveyor.ts";
import { attend, type CheckupDeps } from "./checkup.ts";
import { reasonOf } from "./failures.ts";
import type { KubeApi } from "./kubeapi.ts";
import { SERVICES } from "./objects.ts";
import { checkRungs } from "./rungcheck.ts";
import { Reviews, rightsFor, rightText, type Rights } from "./reviews.ts";

type Forward = Parameters<Surveyor["examine"]>[0];

/** How long a cluster may take to say what a target means. */
const ANSWER_MS = 15_000;

/** A namespace with more Services than this is not listed further. */
const SERVICES_MAX = 500;

const Version = z.object({ minor: z.string() });
const List = z.object({
  metadata: z.nullish(z.object({ continue: z.nullish(z.string()) })),
  items: z.nullish(z.array(z.unknown())),
});

/** From this minor version of Kubernetes on, `get pods/portforward` is not enough for a WebSocket. */
const CREATE_ALONE_SINCE = 35;

/** Owns the API it is given. */
export class ClusterSurvey implements Surveyor {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #reviews: Reviews;
  readonly #checkup: CheckupDeps;

  constructor(api: KubeApi, clock: Clock, checkup: Pick<CheckupDeps, "sources" | "platform">) {
    this.#api = api;
    this.#checkup = { ...checkup, api, clock };
    this.#clock = clock;
    this.#reviews = new Reviews(api);
  }

  place({ kubeconfig, context, namespace }: Pick<Forward, "kubeconfig" | "context" | "namespace">): Place {
    return this.#api.pin({ kubeconfig, context, namespace });
  }

  async examine(forward: Forward, signal: AbortSignal): Promise<Examined> {
    const { name } = forward;
    let known: Examined = { name, place: null, endpoint: null, lacking: [], portForward: null, reason: null };
    try {
      const place = this.place(forward);
      known = { ...known, place };
      known = { ...known, ...(await this.#review(place, rightsFor(forward, place), signal)) };
      if (known.reason !== null || forward.target.kind === "host") return known;
      const resolution = await this.#resolve(forward, place, signal);
      if (resolution.kind === "none") return { ...known, reason: resolution.reason };
      const { pod, port } = resolution.endpoint;
      return { ...known, endpoint: { pod, port } };
    } catch (thrown) {
      if (known.place !== null) signal.throwIfAborted();
      return { ...known, reason: reasonOf(thrown) };
    }
  }

  attend(...[where, how, signal]: Parameters<Surveyor["attend"]>): Promise<Attended> {
    const { kubeconfig, context, namespace } = where;
    return attend(this.#checkup, { kubeconfig, context, namespace }, how, signal);
  }

  rungs(place: Place, pod: string, signal: AbortSignal): Promise<Finding> {
    return checkRungs(this.#checkup, place, pod, signal);
  }

  async services(
    where: Parameters<Surveyor["services"]>[0],
    signal: AbortSignal,
  ): Promise<{ readonly place: Place; readonly services: readonly SeenService[] }> {
    const { place, items } = await this.serviceObjects({ ...where, scope: "namespace" }, signal);
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

  async serviceObjects(
    { scope, ...where }: Parameters<Surveyor["serviceObjects"]>[0],
    signal: AbortSignal,
  ): Promise<ServiceObjects> {
    const place = this.place(where);
    const { namespace } = place;
    const { group, resource } = SERVICES;
    const call = { verb: "list", resource, namespace };
    const path = scope === "cluster" ? [...group, resource] : [...group, "namespaces", namespace, resource];
    const answer = await this.#api.rest(place).ask({ path, query: { limit: SERVICES_MAX }, call }, signal);
    const list = List.safeParse(answer);
    if (!list.success) return { place, items: [], more: false };
    return { place, items: list.data.items ?? [], more: Boolean(list.data.metadata?.continue) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }

  /** What its user may not do, and whether that is too little. */
  async #review(
    place: Place,
    { looking, carrying, creating }: Rights,
    signal: AbortSignal,
  ): Promise<Pick<Examined, "lacking" | "portForward" | "reason">> {
    const getting = { ...creating, verb: "get" };
    const [less, missing, create, get] = await Promise.all([
      this.#reviews.lacking(place, looking, signal),
      this.#reviews.lacking(place, carrying, signal),
      this.#reviews.may(place, creating, signal),
      this.#reviews.may(place, getting, signal),
    ]);
    const lacking = [...less, ...missing, ...(create ? [] : [creating])].map((one) => rightText(one, place));
    const reviewed = { lacking, portForward: { create, get } };
    if (missing.length === 0 && create) return { ...reviewed, reason: null };
    const isGetEnough = get && missing.length === 0 && (await this.#takesGet(place, signal));
    if (isGetEnough) return { ...reviewed, reason: null };
    return { ...reviewed, reason: denied(place, lacking, get && missing.length === 0) };
  }

  /** Before Kubernetes 1.35 a WebSocket wants no more than `get`. */
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
}

function denied(
  { context, namespace }: Place,
  lacking: readonly string[],
  hasGet: boolean,
): Examined["reason"] {
  const since = hasGet ? `; get, which it may, is not enough since Kubernetes 1.${CREATE_ALONE_SINCE}` : "";
  const message = `context "${context}" may not ${lacking.join(", ")} in namespace "${namespace}"${since}`;
  return { code: "Forbidden", kind: "denied", message, hint: ERRORS.FORBIDDEN.hint };
}

function noAnswer({ context }: Place): KfwdError {
  return new KfwdError("UNREACHABLE", `context "${context}" gave no answer within ${ANSWER_MS / 1000} s`);
}
