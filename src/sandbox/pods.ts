import { takeAddress } from "./addresses.ts";
import { KfwdError } from "../errors.ts";
import {
  newMetadata,
  timestamp,
  type Labels,
  type OwnerReference,
  type Pod,
  type PodSpec,
} from "./objects.ts";
import { PodHost, type PodPrograms } from "./podhost.ts";
import { podStatus, type PodStage } from "./podstatus.ts";
import type { Pulse } from "./pulse.ts";
import { keyOf, type Store } from "./store.ts";
import type { Timers } from "./timers.ts";

/** What runs in a pod, and how long it takes to come and go; a pod without any of it runs and listens nowhere. */
export interface Program extends PodPrograms {
  /** From creation until the container runs. Default 10 ms. */
  readonly startMs?: number | undefined;
  /** From then until the pod is Ready. Default 0. */
  readonly readyMs?: number | undefined;
  /** How long the program goes on after it was asked to end, serving as before. Default 50 ms. */
  readonly stopMs?: number | undefined;
}

/** A pod to create. */
export interface NewPod {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly spec: PodSpec;
  readonly generateName?: string;
  readonly annotations?: Labels;
  readonly owner?: OwnerReference;
}

const DEFAULT_START_MS = 10;
const DEFAULT_READY_MS = 0;
const DEFAULT_STOP_MS = 50;

interface Life {
  readonly uid: string;
  readonly host: PodHost;
  readonly address: string | undefined;
  readonly program: Program;
  stage: PodStage;
  restarts: number;
  /** The next step of its start. */
  starting: Disposable | undefined;
  /** Its end, once it has been asked to end. */
  ending: Disposable | undefined;
}

/** The sandbox's kubelet: starts, reports and ends pods. */
export class Pods implements AsyncDisposable {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #pulse: Pulse;
  readonly #lives = new Map<string, Life>();
  /** Hosts of deleted pods with connections that are not yet closed. */
  readonly #dying = new Set<PodHost>();

  constructor(store: Store, timers: Timers, pulse: Pulse) {
    this.#store = store;
    this.#timers = timers;
    this.#pulse = pulse;
  }

  /** Open connections into pods, deleted ones included. */
  get sockets(): number {
    let count = 0;
    for (const { host } of this.#lives.values()) count += host.sockets;
    for (const host of this.#dying) count += host.sockets;
    return count;
  }

  /** Stores the pod as Pending; it runs and becomes Ready by itself. */
  create(pod: NewPod, program: Program): Pod {
    const { name, namespace, labels, spec, generateName, owner, annotations } = pod;
    const stage: PodStage = { kind: "creating" };
    const metadata = newMetadata(name, namespace, {
      labels,
      ...(annotations === undefined ? {} : { annotations }),
      ...(generateName === undefined ? {} : { generateName }),
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    });
    const taken = takeAddress();
    const address = taken?.text;
    const host = new PodHost({ name, namespace }, program, taken, {
      onChange: () => {
        if (host.sockets === 0) this.#dying.delete(host);
        this.#pulse.touch();
      },
      onExit: (status) => this.#become(life, { kind: "ended", status }),
    });
    const life: Life = {
      uid: metadata.uid,
      host,
      address,
      program,
      stage,
      restarts: 0,
      starting: undefined,
      ending: undefined,
    };
    this.#lives.set(keyOf(namespace, name), life);
    const status = podStatus(spec, stage, { restarts: 0, before: undefined, address });
    const stored = this.#store.put<Pod>({ apiVersion: "v1", kind: "Pod", metadata, spec, status });
    this.#start(life);
    return stored;
  }

  /**
   * Asks a pod to end: it is terminating at once, serves on for `graceMs` (by default as long as its program takes),
   * then its connections die and it is gone. `force`: all of that now.
   */
  delete(
    namespace: string,
    name: string,
    how: { readonly graceMs?: number; readonly force?: boolean } = {},
  ): void {
    const { pod, life } = this.#find(namespace, name);
    if (how.force) {
      this.#bury(life);
      return;
    }
    const asked = pod.metadata.deletionTimestamp !== undefined;
    if (asked && how.graceMs === undefined) return;
    const graceMs = how.graceMs ?? life.program.stopMs ?? DEFAULT_STOP_MS;
    if (!asked) {
      const { terminationGracePeriodSeconds } = pod.spec;
      const endsAt = new Date(Date.now() + terminationGracePeriodSeconds * 1000);
      this.#store.put<Pod>({
        ...pod,
        metadata: {
          ...pod.metadata,
          deletionTimestamp: timestamp(endsAt),
          deletionGracePeriodSeconds: terminationGracePeriodSeconds,
        },
      });
    }
    life.host.terminate();
    life.ending?.[Symbol.dispose]();
    life.ending = this.#timers.after(graceMs, () => this.#bury(life));
  }

  /** Sets what the readiness probe says. */
  setReady(namespace: string, name: string, ready: boolean): void {
    const { life } = this.#find(namespace, name);
    if (life.stage.kind !== "running") {
      throw new KfwdError("INTERNAL", `sandbox: pod "${name}" is ${life.stage.kind}, not running`);
    }
    life.starting?.[Symbol.dispose]();
    this.#become(life, { ...life.stage, readiness: ready ? "ready" : "unready" });
  }

  /** The container is down and waits for `reason`, until {@link restart}; its connections die. */
  setWaiting(namespace: string, name: string, reason: string, message?: string): void {
    const { life } = this.#find(namespace, name);
    life.starting?.[Symbol.dispose]();
    life.host.endPrograms();
    if (reason === "CrashLoopBackOff") life.restarts++;
    this.#become(life, { kind: "waiting", reason, message });
  }

  /** The container ends and starts again in the same pod; its connections die. */
  restart(namespace: string, name: string): void {
    const { life } = this.#find(namespace, name);
    life.host.endPrograms();
    life.restarts++;
    this.#become(life, { kind: "waiting", reason: "ContainerCreating", message: undefined });
    this.#start(life);
  }

  /** Lets the program on `port` listen, or refuse. Resolves when it is so. */
  async setListening(namespace: string, name: string, port: number, listening: boolean): Promise<void> {
    const { host } = this.#find(namespace, name).life;
    if (listening) await host.listen(port);
    else host.deafen(port);
  }

  /** The inside of a pod that has been started; undefined before that, and when there is none. */
  host(namespace: string, name: string): PodHost | undefined {
    const life = this.#lives.get(keyOf(namespace, name));
    return life?.stage.kind === "creating" ? undefined : life?.host;
  }

  /** Ends all pods at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    const killed = [...this.#lives.values()].map(({ host }) => host.kill());
    this.#lives.clear();
    await Promise.all(killed);
  }

  #find(namespace: string, name: string): { readonly pod: Pod; readonly life: Life } {
    const pod = this.#store.get("Pod", namespace, name);
    const life = this.#lives.get(keyOf(namespace, name));
    if (pod === undefined || life === undefined) {
      throw new KfwdError("INTERNAL", `sandbox: no pod "${name}" in namespace "${namespace}"`);
    }
    return { pod, life };
  }

  #start(life: Life): void {
    const { startMs = DEFAULT_START_MS } = life.program;
    life.starting?.[Symbol.dispose]();
    life.starting = this.#timers.after(startMs, () => void this.#run(life));
  }

  async #run(life: Life): Promise<void> {
    if (life.program.pull !== undefined) {
      this.#become(life, { kind: "waiting", reason: "ErrImagePull", message: life.program.pull });
      return;
    }
    try {
      await life.host.listen();
    } catch (error) {
      this.#become(life, { kind: "waiting", reason: "RunContainerError", message: String(error) });
      return;
    }
    const { readyMs = DEFAULT_READY_MS } = life.program;
    const stage = { kind: "running", startedAt: timestamp() } as const;
    this.#become(life, { ...stage, readiness: readyMs === 0 ? "ready" : "unready" });
    if (readyMs === 0) return;
    life.starting = this.#timers.after(readyMs, () => this.#become(life, { ...stage, readiness: "ready" }));
  }

  #become(life: Life, stage: PodStage): void {
    const { name, namespace } = life.host.pod;
    const pod = this.#store.get("Pod", namespace, name);
    if (pod === undefined || pod.metadata.uid !== life.uid) return; // deleted meanwhile
    life.stage = stage;
    const { restarts, address } = life;
    const status = podStatus(pod.spec, stage, { restarts, before: pod.status, address });
    this.#store.put<Pod>({ ...pod, status });
  }

  #bury(life: Life): void {
    life.starting?.[Symbol.dispose]();
    life.ending?.[Symbol.dispose]();
    const { name, namespace } = life.host.pod;
    this.#lives.delete(keyOf(namespace, name));
    if (life.host.sockets > 0) this.#dying.add(life.host);
    void life.host.kill();
    this.#store.remove("Pod", namespace, name);
  }
}
