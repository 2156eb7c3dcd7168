/** Why a pod does not serve, in the words of the kubelet and the scheduler, shortened. */
import * as z from "zod/mini";

const Terminated = z.object({
  exitCode: z.optional(z.number()),
  reason: z.nullish(z.string()),
  message: z.nullish(z.string()),
});

const State = z.nullish(
  z.object({
    waiting: z.nullish(z.object({ reason: z.nullish(z.string()), message: z.nullish(z.string()) })),
    running: z.nullish(z.object({})),
    terminated: z.nullish(Terminated),
  }),
);

/** A container's status, as far as it tells of trouble. */
export const ContainerStatus = z.object({
  name: z._default(z.string(), ""),
  image: z._default(z.string(), ""),
  restartCount: z._default(z.number(), 0),
  state: State,
  lastState: State,
});

/** What is so of a pod, or is not, and why. */
export const Condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.nullish(z.string()),
  message: z.nullish(z.string()),
  lastTransitionTime: z.nullish(z.string()),
});

type ContainerStatuses = readonly z.infer<typeof ContainerStatus>[];
type Conditions = readonly z.infer<typeof Condition>[];

/** What is known of a pod that does not serve. */
export interface PodFacts {
  readonly phase: string;
  /** Of the pod itself: `Evicted`, `NodeLost`. */
  readonly reason: string | undefined;
  readonly conditions: Conditions;
  readonly initContainers: ContainerStatuses;
  readonly containers: ContainerStatuses;
}

/** `CrashLoopBackOff (last exit 137 OOMKilled, 4 restarts)`, `Pending (Unschedulable: …)`, `not ready`. */
export function troubleOf(pod: PodFacts): string {
  if (pod.phase === "Failed" || pod.phase === "Succeeded") return ended(pod);
  const unscheduled = unscheduledIn(pod.conditions);
  if (unscheduled) return pending(unscheduled.reason ?? "not scheduled", unscheduled.message ?? "");
  const stuck = firstTrouble(pod.initContainers) ?? firstTrouble(pod.containers);
  if (stuck !== undefined) return stuck;
  if (pod.phase === "Pending") return pending(waitingReason(pod) ?? "", "");
  return pod.phase === "Running" ? "not ready" : pod.phase;
}

/** What the scheduler says of a pod that it has no node for. */
export function unscheduledIn(conditions: Conditions): Conditions[number] | undefined {
  return conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
}

/** Whether a container waits for its image: `ErrImagePull`, `ImagePullBackOff`, `InvalidImageName` and the like. */
export function isImageTrouble(waiting: string): boolean {
  return waiting.includes("Image");
}

function ended({ phase, reason, containers }: PodFacts): string {
  if (reason !== undefined) return `${phase} (${reason})`;
  const exit = containers.map((c) => c.state?.terminated).find((t) => t && t.exitCode !== 0);
  return exit ? `${phase} (${exitText(exit)})` : phase;
}

/** The first container that is not merely on its way up. */
function firstTrouble(containers: ContainerStatuses): string | undefined {
  for (const container of containers) {
    const { state, restartCount } = container;
    const waiting = state?.waiting?.reason ?? undefined;
    if (waiting !== undefined && !ON_ITS_WAY.has(waiting))
      return withDetails(waiting, waitingDetails(waiting, container));
    const terminated = state?.terminated;
    if (terminated && terminated.exitCode !== 0)
      return withDetails("stopped", [exitText(terminated), restartsText(restartCount)]);
  }
  return undefined;
}

function waitingDetails(
  waiting: string,
  { state, lastState, image, restartCount }: ContainerStatuses[number],
): readonly string[] {
  const message = state?.waiting?.message ?? "";
  if (isImageTrouble(waiting)) {
    const cause = causeIn(message);
    return [cause === "" ? image : `${image}: ${cause}`];
  }
  const last = lastState?.terminated;
  if (last) return [`last ${exitText(last)}`, startTrouble(last), restartsText(restartCount)];
  return waiting === "CrashLoopBackOff" ? [restartsText(restartCount)] : [cut(message)];
}

/** A container that never ran has its reason in a message: a command that is not there. */
function startTrouble({ reason, message }: z.infer<typeof Terminated>): string {
  return reason === "StartError" || reason === "ContainerCannotRun" ? causeIn(message ?? "") : "";
}

/** The last cause of a chain `failed to pull …: failed to resolve …: no such host`. */
function causeIn(message: string): string {
  const last = message.trim().split(": ").at(-1) ?? "";
  return /^Back-off|^Container image/.test(last) ? "" : cut(last);
}

function restartsText(count: number): string {
  if (count === 0) return "";
  return count === 1 ? "1 restart" : `${count} restarts`;
}

function withDetails(what: string, details: readonly string[]): string {
  const said = details.filter((detail) => detail !== "");
  return said.length === 0 ? what : `${what} (${said.join(", ")})`;
}

const ON_ITS_WAY = new Set(["ContainerCreating", "PodInitializing"]);

function waitingReason({ containers }: PodFacts): string | undefined {
  return containers.map((c) => c.state?.waiting?.reason).find((reason) => reason) ?? undefined;
}

const MESSAGE_MAX_CHARS = 120;

function pending(reason: string, message: string): string {
  // What the scheduler adds about preemption says nothing that a person could act on.
  const why = [reason, cut(message.replace(/\.? (?:no new claims to deallocate, )?preemption: .*/s, ""))]
    .filter((part) => part !== "")
    .join(": ");
  return why === "" ? "Pending" : `Pending (${why})`;
}

function cut(text: string): string {
  return text.length > MESSAGE_MAX_CHARS ? `${text.slice(0, MESSAGE_MAX_CHARS)}…` : text;
}

/** `exit 137 OOMKilled`; the reason `Error` says nothing that the number does not. */
function exitText({ exitCode, reason }: z.infer<typeof Terminated>): string {
  const words = [`exit ${exitCode ?? "unknown"}`];
  if (reason && reason !== "Error" && reason !== "Completed") words.push(reason);
  return words.join(" ");
}
