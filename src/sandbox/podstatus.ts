/** What a pod's status says at each stage of its life. */
import { timestamp, type Condition, type ContainerState, type PodSpec, type PodStatus } from "./objects.ts";

/** Where the container of a sandbox pod stands. */
export type PodStage =
  | { readonly kind: "creating" }
  | { readonly kind: "running"; readonly readiness: "ready" | "unready"; readonly startedAt: string }
  /** Not running, and the kubelet says why: `CrashLoopBackOff`, `ImagePullBackOff`. */
  | { readonly kind: "waiting"; readonly reason: string; readonly message: string | undefined }
  /** Its container has ended and is not started again. */
  | { readonly kind: "ended"; readonly status: number };

/** What else of a pod's life its status shows. */
export interface PodFacts {
  readonly restarts: number;
  readonly before: PodStatus | undefined;
  readonly address: string | undefined;
}

/** Of a pod that has no address of its own. */
const POD_IP = "10.244.0.10";
const HOST_IP = "198.51.100.10";

/** Of a pod that the scheduler finds no node for. */
export function unboundStatus(): PodStatus {
  const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
  const base = { lastProbeTime: null, lastTransitionTime: timestamp() } as const;
  return {
    phase: "Pending",
    conditions: [{ ...base, type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
    containerStatuses: [],
  };
}

/** `before` gives the times of conditions that have not changed. */
export function podStatus(
  spec: PodSpec,
  stage: PodStage,
  { restarts, before, address }: PodFacts,
): PodStatus {
  const ready = stage.kind === "running" && stage.readiness === "ready";
  const created = stage.kind !== "creating";
  const condition = (type: string, holds: boolean, reason?: string): Condition => {
    const status = holds ? "True" : "False";
    const old = before?.conditions.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp();
    const base = { type, status, lastProbeTime: null, lastTransitionTime } as const;
    return holds || reason === undefined
      ? base
      : { ...base, reason, message: `containers with unready status: ${containerNames(spec)}` };
  };
  return {
    phase: phaseOf(stage, before),
    conditions: [
      condition("PodReadyToStartContainers", created),
      condition("Initialized", true),
      condition("Ready", ready, "ContainersNotReady"),
      condition("ContainersReady", ready, "ContainersNotReady"),
      condition("PodScheduled", true),
    ],
    hostIP: HOST_IP,
    ...(created ? { podIP: address ?? POD_IP } : {}),
    startTime: before?.startTime ?? timestamp(),
    containerStatuses: spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: "",
      ready,
      started: stage.kind === "running",
      restartCount: restarts,
      state: containerState(stage),
      lastState: {},
    })),
  };
}

/** A pod whose container has run once is Running, even while the container waits to be started again. */
function phaseOf(stage: PodStage, before: PodStatus | undefined): PodStatus["phase"] {
  if (stage.kind === "ended") return stage.status === 0 ? "Succeeded" : "Failed";
  return stage.kind === "running" ? "Running" : (before?.phase ?? "Pending");
}

function containerState(stage: PodStage): ContainerState {
  switch (stage.kind) {
    case "creating":
      return { waiting: { reason: "ContainerCreating" } };
    case "running":
      return { running: { startedAt: stage.startedAt } };
    case "ended":
      return { terminated: { exitCode: stage.status, reason: stage.status === 0 ? "Completed" : "Error" } };
    case "waiting":
      return {
        waiting: { reason: stage.reason, ...(stage.message === undefined ? {} : { message: stage.message }) },
      };
  }
}

function containerNames(spec: PodSpec): string {
  return `[${spec.containers.map(({ name }) => name).join(" ")}]`;
}
