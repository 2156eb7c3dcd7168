/** What may be asked of clusters without a supervisor: whether forwards would work, and what there is to forward to. */
import type { ForwardSpec } from "../schema/spec.ts";
import type { Place } from "./deps.ts";
import type { Finding, PrivateNames } from "./checkup.ts";
import type { Reason } from "./core/status.ts";

/** Disposing closes its connections. */
export interface Surveyor extends AsyncDisposable {
  /** Where a forward leads, as the kubeconfig says; asks no cluster. @throws KfwdError of exit status 4. */
  place(where: Pick<ForwardSpec, "kubeconfig" | "context" | "namespace">): Place;
  /** What the cluster says to one forward. Never throws but for the signal: that there is no cluster is an answer, too. */
  examine(forward: ForwardSpec, signal: AbortSignal): Promise<Examined>;
  /** Looks at one context, as far as `how` lets it. Never throws; what the signal cuts short is told with its reason. */
  attend(
    where: Pick<ForwardSpec, "kubeconfig" | "context" | "namespace">,
    how: AttendHow,
    signal: AbortSignal,
  ): Promise<Attended>;
  /** Which ways to open connections get through to a pod. Never throws but for the signal. */
  rungs(place: Place, pod: string, signal: AbortSignal): Promise<Finding>;
  /** The Services of a namespace. @throws KfwdError of exit status 4. */
  services(
    where: Pick<ForwardSpec, "kubeconfig" | "context" | "namespace">,
    signal: AbortSignal,
  ): Promise<{ readonly place: Place; readonly services: readonly SeenService[] }>;
  /** The same as the API has them, with what others have noted on them. @throws KfwdError of exit status 4. */
  serviceObjects(
    where: Pick<ForwardSpec, "kubeconfig" | "context" | "namespace"> & {
      readonly scope: "namespace" | "cluster";
    },
    signal: AbortSignal,
  ): Promise<ServiceObjects>;
}

/** Services as JSON; `more`: there are others, which were not asked for. */
export interface ServiceObjects {
  readonly place: Place;
  readonly items: readonly unknown[];
  readonly more: boolean;
}

/** `leave`: no plugin is run, no file that it names is read, and nothing is sent to its server. */
export type AttendHow = "ask" | "leave";

/** What there is to say of a context. */
export interface Attended {
  /** Null when the kubeconfig or the context is not there. */
  readonly place: Place | null;
  readonly findings: readonly Finding[];
  readonly names: PrivateNames;
}

/** One forward, as it would fare now. */
export interface Examined {
  readonly name: string;
  /** Null when the kubeconfig or the context is not there. */
  readonly place: Place | null;
  /** The pod and port that it would lead to; null: none, or only a relay could tell. */
  readonly endpoint: { readonly pod: string; readonly port: number } | null;
  /** Rights that are lacking, in the words of RBAC: `create pods/portforward`. Without some of them it may work yet. */
  readonly lacking: readonly string[];
  /** Which ways of opening connections it may take; null: that is not known. */
  readonly portForward: { readonly create: boolean; readonly get: boolean } | null;
  /** Why it would not work; null: it would, as far as a look can tell. */
  readonly reason: Reason | null;
}

/** A Service, as far as a forward to it needs to know. */
export interface SeenService {
  readonly name: string;
  /** Whether it has pods of its own to forward to. */
  readonly hasSelector: boolean;
  readonly ports: readonly {
    readonly name: string | undefined;
    readonly port: number;
    readonly protocol: string;
  }[];
}

/** What the bundle that speaks Kubernetes offers to commands, which load it only when they need it. */
export interface SurveyProgram {
  openSurvey(): Surveyor;
  /** Binds what a forward wants to bind, and lets go of it. @throws KfwdError of exit status 5. */
  tryPort(
    forward: Pick<ForwardSpec, "name" | "bind" | "protocol">,
    port: number,
    runtimeFolder: string,
  ): Promise<void>;
}
