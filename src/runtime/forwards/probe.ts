/** Asks the application behind a forward whether it works, by the forward's own way to the pod. */
import type { ProbeSpec } from "../../schema/spec.ts";
import { KfwdError } from "../../errors.ts";
import { readHttpStatus } from "../core/httpstatus.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, PodStream, StreamEnd, StreamHandler } from "../deps.ts";

/** A way to the application. */
export type Open = (handler: StreamHandler, signal: AbortSignal) => Promise<PodStream>;

/**
 * Nobody says that a connection to the pod was taken, only that it was refused: one that was not refused after this
 * long counts as taken.
 */
const TAKEN_AFTER_MS = 1_000;

/** Null: it works. Undefined: nothing was learned, because the way there broke. */
type Verdict = Reason | null | undefined;

/** One question, which is over after `timeoutMs` at the latest. @throws the signal's reason. */
export async function probe(
  clock: Clock,
  spec: ProbeSpec,
  open: Open,
  signal: AbortSignal,
): Promise<Verdict> {
  signal.throwIfAborted();
  const over = new AbortController();
  let settle: (verdict: Verdict) => void = () => {};
  const verdict = new Promise<Verdict>((resolve) => (settle = resolve));
  const onAbort = (): void => settle(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  const late = spec.type === "tcp" ? Math.min(spec.timeoutMs, TAKEN_AFTER_MS) : spec.timeoutMs;
  const deadline = clock.timer(spec.timeoutMs, () => settle(noAnswer(spec)));
  let taken: Disposable | undefined;
  let stream: PodStream | undefined;
  try {
    open(listen(spec, settle), over.signal).then(
      (opened) => {
        if (over.signal.aborted) return opened.abort();
        stream = opened;
        if (spec.type === "http") opened.write(request(spec), 0);
        else taken = clock.timer(late, () => settle(null));
      },
      (thrown: unknown) => settle(failed(spec, KfwdError.from(thrown).message)),
    );
    const answer = await verdict;
    signal.throwIfAborted();
    return answer;
  } finally {
    deadline[Symbol.dispose]();
    taken?.[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
    over.abort();
    stream?.abort();
  }
}

function listen(spec: ProbeSpec, settle: (verdict: Verdict) => void): StreamHandler {
  let text = "";
  return {
    onData: (chunk) => {
      if (spec.type !== "http") {
        settle(null);
        return "taken";
      }
      text += chunk.toString("latin1");
      const read = readHttpStatus(text);
      if (read.kind === "status") settle(judge(spec, read.status));
      if (read.kind === "other") settle(failed(spec, "the answer is not HTTP"));
      return "taken";
    },
    onEnd: () => settle(spec.type === "http" ? failed(spec, "closed without an answer") : null),
    onDrain: () => {},
    onClose: (end) => settle(closed(spec, end)),
  };
}

function closed(spec: ProbeSpec, end: StreamEnd): Verdict {
  if (end.kind === "done") return spec.type === "http" ? failed(spec, "closed without an answer") : null;
  // The tunnel tells by itself that it is lost; the application has not been asked then.
  if (end.kind === "lost" || end.reason.kind === "gone") return undefined;
  return failed(spec, end.reason.message);
}

function judge(spec: ProbeSpec, status: number): Reason | null {
  const [first, last] = spec.status;
  if (status >= first && status <= last) return null;
  const wanted = first === last ? String(first) : `${first} to ${last}`;
  return failed(spec, `answered ${status}, wanted ${wanted}`);
}

function noAnswer(spec: ProbeSpec): Reason {
  return failed(spec, `no answer within ${spec.timeoutMs / 1000} s`);
}

function failed(spec: ProbeSpec, words: string): Reason {
  const what = spec.type === "http" ? `GET ${spec.path}: ` : "";
  return { code: "ProbeFailed", kind: "transient", message: `the probe failed: ${what}${words}` };
}

function request({ path }: ProbeSpec): Buffer {
  const head = [`GET ${path} HTTP/1.1`, "Host: localhost", "User-Agent: kfwd-probe", "Accept: */*"];
  return Buffer.from(`${head.join("\r\n")}\r\nConnection: close\r\n\r\n`, "latin1");
}
