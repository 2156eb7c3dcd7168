/** `kfwd port` and `kfwd url`: where a forward is, in one line for scripts. */
import { KfwdError } from "../errors.ts";
import { addressOf, hostOf, needUrl, type Located } from "../schema/exports.ts";
import { locateRunning, locateStatic } from "./located.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import { waitFirst, type WaitFirstFlags } from "./waitfirst.ts";
import type { World } from "./world.ts";

export interface AddressFlags extends WaitFirstFlags {
  readonly static?: boolean;
}

/** `127.0.0.1:5432` */
export function port(world: World, name: string, flags: AddressFlags): Promise<number> {
  return say(world, name, flags, (located) => ({
    text: addressOf(located),
    json: {
      schema: "kfwd.port/1",
      name: located.spec.name,
      host: hostOf(located.spec),
      port: located.port,
      protocol: located.spec.protocol,
    },
  }));
}

/** `http://localhost:8080/docs` */
export function url(world: World, name: string, flags: AddressFlags): Promise<number> {
  return say(world, name, flags, (located) => {
    const text = needUrl(located);
    return { text, json: { schema: "kfwd.url/1", name: located.spec.name, url: text } };
  });
}

async function say(
  world: World,
  wanted: string,
  flags: AddressFlags,
  words: (located: Located) => { readonly text: string; readonly json: object },
): Promise<number> {
  const out = new Output(world, flags);
  const plan = await readPlan(world, flags, [wanted], out, "tell");
  if (plan === undefined) return 2;
  const [name] = chooseNames(
    [wanted],
    plan.forwards.map((spec) => spec.name),
  );
  const interrupted = await waitFirst(world, flags, name === undefined ? [] : [name]);
  if (interrupted !== undefined) return interrupted;
  const chosen = plan.forwards.filter((spec) => spec.name === name);
  const [located] = flags.static ? locateStatic(chosen) : await locateRunning(world, chosen, flags);
  if (located === undefined) throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${wanted}"`);
  const { text, json } = words(located);
  if (flags.json) out.json(json);
  else out.data(text);
  return 0;
}
