/**
 * What the error stream of a port-forward says, as a reason. The kubelet sends free text and nothing else, so this
 * is the one place that reads meaning from words; the table in the test holds each known form.
 */
import type { Reason } from "../core/status.ts";
import type { StreamEnd } from "../deps.ts";

/** How far a failure reached: `refused` means that the application never saw a byte. */
export interface StreamFailure {
  readonly kind: "refused" | "reset";
  readonly reason: Reason;
}

interface Form {
  readonly pattern: RegExp;
  readonly read: (port: number, pod: string) => StreamFailure;
}

const FORMS: readonly Form[] = [
  {
    // the sandbox or its network is gone: a deleted pod whose connection still stands
    pattern:
      /find sandbox|sandbox .*not (?:found|running)|network namespace .* closed|no such container|container not running/i,
    read: (_port, pod) => ({
      kind: "refused",
      reason: { code: "PodGone", kind: "gone", message: `pod "${pod}" is gone` },
    }),
  },
  {
    // comes after the data, and after the pod's FIN
    pattern: /connection reset by peer|broken pipe/i,
    read: (port, pod) => ({
      kind: "reset",
      reason: {
        code: "PodReset",
        kind: "transient",
        message: `pod "${pod}" reset the connection to port ${port}`,
      },
    }),
  },
  {
    pattern: /connection refused/i,
    read: (port, pod) => ({
      kind: "refused",
      reason: {
        code: "PodRefused",
        kind: "transient",
        message: `pod "${pod}" refused port ${port}: nothing listens there`,
        hint: "check the port the application binds, and that it binds localhost or all addresses",
      },
    }),
  },
  {
    pattern: /failed to (?:connect|dial)|dial tcp|i\/o timeout|no route to host|socat not found/i,
    read: (port, pod) => ({
      kind: "refused",
      reason: {
        code: "PodUnreachable",
        kind: "transient",
        message: `the node cannot reach port ${port} of pod "${pod}"`,
      },
    }),
  },
];

/** `text` is what arrived on the error stream; it is shown, shortened, when its form is not known. */
export function streamFailure(text: string, port: number, pod: string): StreamFailure {
  const form = FORMS.find(({ pattern }) => pattern.test(text));
  if (form) return form.read(port, pod);
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return {
    kind: "reset",
    reason: {
      code: "StreamFailed",
      kind: "transient",
      message: `port ${port} of pod "${pod}": ${shown.trim()}`,
    },
  };
}

/** The end of a stream on which `text` came: bytes that came before it tell of an application that was reached. */
export function failureEnd(
  text: string,
  from: { port: number; pod: string; receivedBytes: number },
): StreamEnd {
  const { kind, reason } = streamFailure(text, from.port, from.pod);
  return { kind: kind === "refused" && from.receivedBytes === 0 ? "refused" : "reset", reason };
}
