/** Which ways of upgrading get through to a pod: asks for each of them, and connects to no application. */
import { KfwdError } from "../../errors.ts";
import type { Finding } from "../checkup.ts";
import type { Clock, Place } from "../deps.ts";
import { Dialler } from "./dial.ts";
import type { KubeApi } from "./kubeapi.ts";
import { askSpdy, type Asked } from "./upgrade.ts";
import type { BytePipe } from "./pipe.ts";

const RUNGS = [
  { rung: "spdy", word: "SPDY" },
  { rung: "tunnel", word: "SPDY in a WebSocket" },
] as const;

/** Never throws but for the signal. */
export async function checkRungs(
  { api, clock }: { readonly api: KubeApi; readonly clock: Clock },
  place: Place,
  pod: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { context, namespace } = place;
  const finding = { id: "transport", about: context };
  using dialler = new Dialler(api.access(place), clock);
  const asked = await Promise.all(
    RUNGS.map(async ({ rung, word }) => ({
      word,
      asked: await ask(dialler, clock, rung, { namespace, pod }, signal),
    })),
  );
  signal.throwIfAborted();
  const through = asked.flatMap(({ word, asked: one }) => (one === undefined ? [word] : []));
  const errors = asked.flatMap(({ word, asked: one }) =>
    one === undefined ? [] : [`${word}: ${one.message}`],
  );
  const [first] = through;
  if (first === undefined) {
    const says =
      "neither SPDY nor a WebSocket with it gets through; v4.channel is not tried, as it connects to the app";
    const error = asked.flatMap(({ asked: one }) => (one === undefined ? [] : [one]))[0];
    const hint = error?.hint;
    return { ...finding, state: "bad", says, detail: errors, ...(hint !== undefined && { hint }), exit: 4 };
  }
  const says = `${through.join(" and ")} ${through.length > 1 ? "get" : "gets"} through to pod ${pod}`;
  return { ...finding, state: "good", says, detail: errors };
}

/** What stood in its way; undefined: nothing. */
async function ask(
  dialler: Dialler,
  clock: Clock,
  rung: (typeof RUNGS)[number]["rung"],
  to: { readonly namespace: string; readonly pod: string },
  signal: AbortSignal,
): Promise<KfwdError | undefined> {
  let asked: Asked<BytePipe>;
  try {
    asked = await askSpdy({ dialler, clock }, rung, to, signal);
  } catch (thrown) {
    return KfwdError.from(thrown);
  }
  if (asked.kind === "refused") return asked.error;
  asked.pipe[Symbol.dispose]();
  return undefined;
}
