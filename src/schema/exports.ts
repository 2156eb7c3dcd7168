/** What a forward is called outside kfwd: its address, its URL, its variables. Pure. */
import { KfwdError } from "../errors.ts";
import { bracketed, hostPort } from "../hostport.ts";
import { quoted } from "../printable.ts";
import type { ForwardSpec } from "./spec.ts";

/** A forward and the local port that it has or will have. */
export interface Located {
  readonly spec: ForwardSpec;
  readonly port: number;
}

/** Names of ports that say how their application is spoken to. */
const SCHEMES: ReadonlyMap<string, string> = new Map([
  ["http", "http"],
  ["https", "https"],
  ["postgres", "postgres"],
  ["postgresql", "postgres"],
  ["redis", "redis"],
  ["amqp", "amqp"],
]);

/** An address that a client on this machine can use: never `localhost`, which MySQL's clients take for a Unix socket. */
export function hostOf({ bind }: ForwardSpec): string {
  const [first = "localhost"] = bind;
  if (first === "localhost" || first === "0.0.0.0") return "127.0.0.1";
  return first === "::" ? "::1" : first;
}

/** `127.0.0.1:5432`, `[::1]:5432` */
export function addressOf({ spec, port }: Located): string {
  return hostPort(hostOf(spec), port);
}

/** Its `url`, else one by the name of its port; undefined when neither says how to speak to it. */
export function urlOf(located: Located): string | undefined {
  const { spec, port } = located;
  const remote = spec.remotePort?.port;
  const scheme = typeof remote === "string" ? SCHEMES.get(remote) : undefined;
  const template = spec.url ?? (scheme && `${scheme}://{host}:{port}`);
  if (template === undefined) return undefined;
  const isLocalhost = spec.bind[0] === "localhost";
  // Browsers treat localhost as safe, and cookies are by name.
  const host = isLocalhost && /^https?:/i.test(template) ? "localhost" : bracketed(hostOf(spec));
  return filled(template, { host, port: String(port), name: spec.name });
}

/** @throws KfwdError `CONFIG_INVALID`. */
export function needUrl(located: Located): string {
  const url = urlOf(located);
  if (url !== undefined) return url;
  const { name, source } = located.spec;
  throw new KfwdError("CONFIG_INVALID", `forward ${quoted(name)} has no url`, {
    hint: 'give it one: url: "http://{host}:{port}/"',
    place: source,
  });
}

/** Its variables by name: those of `env`, else `API_HOST`, `API_PORT` and, where it has one, `API_URL`. */
export function variablesOf(located: Located): ReadonlyMap<string, string> {
  const { spec, port } = located;
  const url = urlOf(located);
  const words = {
    host: hostOf(spec),
    port: String(port),
    name: spec.name,
    ...(url !== undefined && { url }),
  };
  if (spec.env !== undefined)
    return new Map(Object.entries(spec.env).map(([name, template]) => [name, filled(template, words)]));
  const prefix = spec.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
  const plain = [
    ["HOST", words.host],
    ["PORT", words.port],
    ["URL", url],
  ] as const;
  return new Map(
    plain.flatMap(([ending, value]) =>
      value === undefined ? [] : [[`${prefix}_${ending}`, value] as const],
    ),
  );
}

/** The variables of several forwards. @throws KfwdError `CONFIG_INVALID` when two want one name. */
export function allVariables(forwards: readonly Located[]): ReadonlyMap<string, string> {
  const all = new Map<string, { readonly value: string; readonly of: ForwardSpec }>();
  for (const located of forwards) {
    for (const [name, value] of variablesOf(located)) {
      const first = all.get(name)?.of;
      if (first !== undefined) {
        const both = `${quoted(first.name)} and ${quoted(located.spec.name)}`;
        throw new KfwdError("CONFIG_INVALID", `forwards ${both} both set the variable ${name}`, {
          hint: `name the variables of one: env: { MY_${name}: "{port}" }`,
          place: located.spec.source,
        });
      }
      all.set(name, { value, of: located.spec });
    }
  }
  return new Map([...all].map(([name, { value }]) => [name, value]));
}

function filled(template: string, words: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, word: string) => words[word] ?? whole);
}
