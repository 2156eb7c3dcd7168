/** One relay pod, from its creation to its end. */
import type { Reason } from "../core/status.ts";
import type { Clock, Log, RelayPod } from "../deps.ts";
import { reasonOf } from "./failures.ts";
import type { PodIdentity } from "./follow.ts";
import type { Pod } from "./objects.ts";
import type { PodApi } from "./podapi.ts";
import { creationTrouble, podTrouble } from "./relaytrouble.ts";

/** A pod that neither runs nor says why is spoken of after this long. */
const SLOW_MS = 60_000;

/** The list of pods hears of a new one within milliseconds; one it has not heard of by then may be gone already. */
const UNSEEN_MS = 10_000;

/** How long the end of a supervisor waits for the API server to take a deletion. */
const REMOVE_MS = 3_000;

/** A pod that has ended and could not be deleted, as after a sleep of the machine, is tried again so often. */
const REMOVE_AGAIN_MS = 15_000;

/** What is normal on the way up. */
const ON_ITS_WAY = /^(?:Pending(?: \((?:ContainerCreating|PodInitializing)\))?|not ready|Unknown)$/;

export interface RelayPodDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly api: PodApi;
  readonly namespace: string;
  readonly manifest: object;
  watch(name: string, tell: (seen: Pod | undefined, trouble: Reason | undefined) => void): Disposable;
}

export interface RelayPodEvents {
  onState(pod: RelayPod): void;
  /** It has a name now: from here on it must be deleted by somebody. */
  onCreated(pod: PodIdentity): void;
  onRunning(pod: PodIdentity): void;
  /** It does not run for now, or could not be made (`over`): then nothing more comes. */
  onTrouble(reason: Reason, how: "waits" | "over"): void;
  /** It does not run any more. */
  onGone(reason: Reason): void;
  /** It is not even in the list of pods any more; the last call. */
  onRemoved(): void;
}

/** Creates the pod at once. Disposing deletes it, and calls nobody any more. */
export class RelayPodLife implements AsyncDisposable {
  readonly #deps: RelayPodDeps;
  readonly #events: RelayPodEvents;
  readonly #abort = new AbortController();
  readonly #created: Promise<void>;
  #identity: PodIdentity | undefined;
  #watching: Disposable | undefined;
  #timer: Disposable | undefined;
  #stage: "creating" | "starting" | "running" | "waiting" | "gone" | "removed" | "disposed" = "creating";
  #seen: "no" | "yes" = "no";
  /** The trouble that was last looked into. */
  #trouble = "";

  constructor(deps: RelayPodDeps, events: RelayPodEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#created = this.#create();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const before = this.#stage;
    this.#leave("disposed");
    if (before === "disposed") return;
    await this.#created; // or there would be a pod that nobody knows of
    if (before !== "removed" && this.#identity !== undefined) await this.#remove(this.#identity);
  }

  async #create(): Promise<void> {
    const { api, manifest, namespace, log } = this.#deps;
    this.#tell("creating", null);
    try {
      const { name, uid } = await api.create(manifest, new AbortController().signal); // has a deadline of its own
      this.#identity = { name, uid };
      log.info("relay.created", { namespace, pod: name, uid });
    } catch (error) {
      const reason = creationTrouble(error, namespace);
      log.warn("relay.refused", { namespace, reason: reason.message });
      if (!this.#isLive()) return;
      this.#tell("waiting", reason);
      this.#leave("gone");
      this.#events.onTrouble(reason, "over");
      return;
    }
    if (!this.#isLive()) return;
    this.#events.onCreated(this.#identity);
    this.#stage = "starting";
    this.#tell("starting", null);
    this.#timer = this.#deps.clock.timer(UNSEEN_MS, () => void this.#lookForUnseen());
    this.#watching = this.#deps.watch(this.#identity.name, (seen, trouble) => this.#onPods(seen, trouble));
  }

  #onPods(seen: Pod | undefined, trouble: Reason | undefined): void {
    const identity = this.#identity;
    if (!this.#isLive() || identity === undefined) return;
    const isOurs = seen?.uid === identity.uid;
    if (!isOurs) {
      if (this.#seen === "yes") this.#end(`relay pod "${identity.name}" was deleted`);
      else if (trouble) this.#onTrouble(trouble);
      return;
    }
    if (this.#seen === "no") this.#onSeen(identity);
    if (seen.stage === "terminating") this.#end(`relay pod "${identity.name}" is being deleted`);
    else if (seen.stage === "finished") this.#end(`relay pod "${identity.name}" has ended: ${seen.trouble}`);
    else if (seen.stage === "ready") this.#onReady(identity);
    else if (!ON_ITS_WAY.test(seen.trouble)) void this.#lookInto(identity, seen.trouble);
  }

  #onSeen({ name }: PodIdentity): void {
    this.#seen = "yes";
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#deps.clock.timer(SLOW_MS, () => {
      if (this.#stage !== "starting") return;
      const message = `relay pod "${name}" has not started within ${SLOW_MS / 1000} s`;
      this.#onTrouble({ code: "RelaySlow", kind: "transient", message });
    });
  }

  #onReady(identity: PodIdentity): void {
    this.#trouble = "";
    if (this.#stage === "running") return;
    this.#stage = "running";
    this.#timer?.[Symbol.dispose]();
    this.#tell("running", null);
    this.#events.onRunning(identity);
  }

  async #lookInto(identity: PodIdentity, trouble: string): Promise<void> {
    if (this.#trouble === trouble) return;
    this.#trouble = trouble;
    const json = await this.#deps.api.look(identity, this.#abort.signal).catch(() => undefined);
    if (this.#isLive() && this.#trouble === trouble)
      this.#onTrouble(podTrouble(identity.name, trouble, json));
  }

  async #lookForUnseen(): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined || this.#seen === "yes" || !this.#isLive()) return;
    try {
      const json = await this.#deps.api.look(identity, this.#abort.signal);
      if (json === undefined && this.#isLive()) this.#end(`relay pod "${identity.name}" was deleted`);
    } catch (error) {
      if (this.#isLive()) this.#onTrouble(reasonOf(error));
    }
    if (this.#isLive()) this.#timer = this.#deps.clock.timer(UNSEEN_MS, () => void this.#lookForUnseen());
  }

  #onTrouble(reason: Reason): void {
    if (this.#stage === "running") return; // what runs needs no list of pods
    this.#stage = "waiting";
    this.#deps.log.warn("relay.waits", { pod: this.#identity?.name, reason: reason.message });
    this.#tell("waiting", reason);
    this.#events.onTrouble(reason, "waits");
  }

  #end(message: string): void {
    const reason: Reason = { code: "RelayGone", kind: "gone", message };
    this.#deps.log.info("relay.gone", { pod: this.#identity?.name, reason: message });
    this.#tell("gone", reason);
    const identity = this.#identity;
    this.#leave("gone");
    this.#events.onGone(reason);
    if (identity) void this.#clearAway(identity); // one that has ended stays in the list until somebody removes it
  }

  async #clearAway(identity: PodIdentity): Promise<void> {
    const isRemoved = await this.#remove(identity);
    if (this.#stage !== "gone") return;
    if (isRemoved) {
      this.#stage = "removed";
      this.#events.onRemoved();
    } else {
      this.#timer = this.#deps.clock.timer(REMOVE_AGAIN_MS, () => void this.#clearAway(identity));
    }
  }

  async #remove(identity: PodIdentity): Promise<boolean> {
    const { clock, log, api, namespace } = this.#deps;
    const late = new AbortController();
    const timer = clock.timer(REMOVE_MS, () =>
      late.abort(new Error(`no answer within ${REMOVE_MS / 1000} s`)),
    );
    try {
      await api.remove(identity, late.signal);
      log.info("relay.removed", { namespace, pod: identity.name });
      return true;
    } catch (error) {
      // It ends by itself when nobody speaks to it.
      log.warn("relay.notRemoved", { namespace, pod: identity.name, reason: reasonOf(error).message });
      return false;
    } finally {
      timer[Symbol.dispose]();
    }
  }

  #tell(state: RelayPod["state"], reason: Reason | null): void {
    const { name = null, uid = null } = this.#identity ?? {};
    this.#events.onState({ name, namespace: this.#deps.namespace, uid, state, reason });
  }

  #isLive(): boolean {
    return this.#stage !== "gone" && this.#stage !== "removed" && this.#stage !== "disposed";
  }

  #leave(stage: "gone" | "disposed"): void {
    this.#stage = stage;
    this.#abort.abort(new Error("the relay pod is of no interest any more"));
    this.#watching?.[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }
}
