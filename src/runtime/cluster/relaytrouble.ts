/** Why there is no relay, in the words of the cluster and with what to do about it. */
import * as z from "zod/mini";
import { ERRORS } from "../../errors.ts";
import type { Reason } from "../core/status.ts";
import { ApiRefusal, reasonOf } from "./failures.ts";
import { Condition, ContainerStatus, isImageTrouble, unscheduledIn } from "./podtrouble.ts";

const ELSEWHERE = "`relay.namespace` names another namespace for it";

/** The API server did not make the pod. */
export function creationTrouble(thrown: unknown, namespace: string): Reason {
  const reason = reasonOf(thrown);
  if (!(thrown instanceof ApiRefusal)) return reason;
  const said = thrown.said ?? "";
  if (thrown.status === 404 && /^namespaces? "/.test(said)) {
    const message = `there is no namespace "${namespace}" for the relay pod`;
    return { code: "RelayNamespace", kind: "denied", message, hint: ELSEWHERE };
  }
  if (thrown.status === 422) {
    const message = `the relay pod is not valid: ${said.replace(/^Pod "[^"]*" is invalid: /, "")}`;
    return { code: "RelayInvalid", kind: "denied", message, hint: "mend `relay` in the file" };
  }
  if (thrown.status !== 403) return reason;
  const security = /violates PodSecurity "([^"]*)": (.*)/s.exec(said);
  const because = (code: string, why: string, hint: string): Reason => ({
    code,
    kind: "denied",
    message: `namespace "${namespace}" forbids the relay pod: ${why}`,
    hint,
  });
  if (security) {
    const fields = fieldsOf(security[2] ?? "");
    return because("PodSecurity", `PodSecurity "${security[1]}": ${fields.join("; ")}`, ELSEWHERE);
  }
  const quota = /(?:exceeded|failed) quota: .*/s.exec(said);
  if (quota) return because("QuotaExceeded", quota[0], "lower `relay.resources`, or ask for a larger quota");
  if (/ cannot create resource "pods"/.test(said) || said === "") {
    const message = `there can be no relay pod: ${reason.message}`;
    const hint = `${ERRORS.FORBIDDEN.hint}; ${ELSEWHERE}`;
    return { code: "RelayForbidden", kind: "denied", message, hint };
  }
  return because("AdmissionDenied", said.replace(/^pods "[^"]*" is forbidden: /, ""), ELSEWHERE);
}

/** `allowPrivilegeEscalation != false (container "relay" must set …), runAsNonRoot != true (…)`, one by one. */
function fieldsOf(text: string): readonly string[] {
  return text.split(/(?<=\)), /).map((field) => field.trim());
}

const PodShape = z.object({
  spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.nullish(z.string()) })) }),
  status: z.nullish(
    z.object({
      message: z.nullish(z.string()),
      conditions: z.nullish(z.array(Condition)),
      containerStatuses: z.nullish(z.array(ContainerStatus)),
    }),
  ),
});

/** The pod is there and does not run. `trouble` is what the list of pods says; the object says more. */
export function podTrouble(name: string, trouble: string, json: unknown): Reason {
  const parsed = PodShape.safeParse(json);
  const plain = {
    code: "RelayNotRunning",
    kind: "transient",
    message: `relay pod "${name}": ${trouble}`,
  } as const;
  if (!parsed.success) return plain;
  const { spec, status } = parsed.data;
  const state = status?.containerStatuses?.find((one) => one.name === "relay")?.state;
  const image = spec.containers.find((one) => one.name === "relay")?.image ?? "";
  const waiting = state?.waiting;
  if (waiting?.reason && isImageTrouble(waiting.reason)) {
    const said = (waiting.message ?? "").trim();
    return {
      code: waiting.reason,
      kind: "transient",
      message: `relay pod "${name}" cannot pull ${image}: ${said} (${waiting.reason})`,
      hint: "`relay.image` names another image, `relay.imagePullSecrets` the credentials for this one",
    };
  }
  const unscheduled = unscheduledIn(status?.conditions ?? []);
  if (unscheduled) {
    const code = unscheduled.reason ?? "Unschedulable";
    const message = `relay pod "${name}" finds no node: ${unscheduled.message ?? code}`;
    return {
      code,
      kind: "transient",
      message,
      hint: "`relay.resources`, `relay.nodeSelector` and `relay.tolerations` say where it may run",
    };
  }
  const words = [waiting?.message, state?.terminated?.message, status?.message].find((text) => text);
  return words ? { ...plain, message: `${plain.message}: ${words}` } : plain;
}
