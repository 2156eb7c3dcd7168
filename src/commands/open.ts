/** `kfwd open`: a forward's URL in the browser. */
import { KfwdError } from "../errors.ts";
import { quoted, visible } from "../printable.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { needUrl, urlOf, type Located } from "../schema/exports.ts";
import { locateRunning } from "./located.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import { waitFirst, type WaitFirstFlags } from "./waitfirst.ts";
import { webUrl, whyNoBrowser } from "./weburl.ts";
import type { World } from "./world.ts";

export interface OpenFlags extends WaitFirstFlags {
  readonly print?: boolean;
}

export async function openForward(
  world: World,
  wanted: string | undefined,
  flags: OpenFlags,
): Promise<number> {
  const out = new Output(world, flags);
  const plan = await readPlan(world, flags, wanted === undefined ? [] : [wanted], out, "tell");
  if (plan === undefined) return 2;
  const spec = wanted === undefined ? theOneOf(plan.forwards) : namedOf(plan.forwards, wanted);
  const interrupted = await waitFirst(world, flags, [spec.name]);
  if (interrupted !== undefined) return interrupted;
  const [located = { spec, port: 0 }] = await locateRunning(world, [spec], flags);
  const url = needWebUrl(located);
  const why = flags.print ? "" : whyNoBrowser({ env: world.env, platform: world.machine.platform });
  if (why !== undefined) {
    if (flags.json) out.json({ schema: "kfwd.open/1", name: spec.name, url, opened: false });
    else out.data(url);
    if (why !== "") out.note(`not opened: ${why}`);
    return 0;
  }
  await openUrl(world, url);
  if (flags.json) out.json({ schema: "kfwd.open/1", name: spec.name, url, opened: true });
  else out.note(`opened ${url}`);
  return 0;
}

/** Opens what {@link needWebUrl} has let through. @throws KfwdError `BROWSER_FAILED`. */
export async function openUrl(world: World, url: string): Promise<void> {
  const { openInBrowser } = await world.loadBrowser();
  try {
    await openInBrowser(url, world.env["BROWSER"] || undefined, world.clock);
  } catch (thrown) {
    const { code, message, cause } = KfwdError.from(thrown);
    throw new KfwdError(code, message, { cause, hint: `open it yourself: ${url}` });
  }
}

/** @throws KfwdError `CONFIG_INVALID` for a forward without a URL, and for one that is none of a website. */
function needWebUrl(located: Located): string {
  const text = needUrl(located);
  const url = webUrl(text);
  if (url !== undefined) return url;
  const { name, source } = located.spec;
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0] ?? visible(text);
  throw new KfwdError(
    "CONFIG_INVALID",
    `the url of forward ${quoted(name)} is one of ${scheme}, and only http and https are opened`,
    { hint: `kfwd url ${name}`, place: source },
  );
}

function namedOf(forwards: readonly ForwardSpec[], wanted: string): ForwardSpec {
  const names = chooseNames(
    [wanted],
    forwards.map(({ name }) => name),
  );
  const chosen = forwards.filter(({ name }) => names.includes(name));
  const found = chosen.find(isWebsite) ?? chosen[0]; // of several ports under one name
  if (found === undefined) throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${wanted}"`);
  return found;
}

/** @throws KfwdError `NOTHING_SELECTED`. */
function theOneOf(forwards: readonly ForwardSpec[]): ForwardSpec {
  const [only, ...others] = forwards.filter(isWebsite);
  if (only !== undefined && others.length === 0) return only;
  const names = [only, ...others].flatMap((spec) => spec?.name ?? []);
  if (names.length === 0) {
    throw new KfwdError("NOTHING_SELECTED", "no forward has a url of http or https", {
      hint: 'give one a url: url: "http://{host}:{port}/"',
    });
  }
  throw new KfwdError("NOTHING_SELECTED", `several forwards have a url: ${names.join(", ")}`, {
    hint: `kfwd open ${names[0]}`,
  });
}

function isWebsite(spec: ForwardSpec): boolean {
  return webUrl(urlOf({ spec, port: 1 }) ?? "") !== undefined;
}
