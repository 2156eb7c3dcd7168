/** `kfwd init`: a first forwards.yaml, from questions, from the Services of a namespace, or an example. */
import { existsSync, readFileSync, appendFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileTrouble } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { quoted, visible } from "../printable.ts";
import { refuseBadNamespace, type SeenService } from "../runtime/index.ts";
import { readCompact } from "../schema/compact.ts";
import { PROJECT_NAME, PROJECT_NAME_RULE } from "../schema/fields.ts";
import { LABEL, LABEL_RULE } from "../schema/kube-name.ts";
import { complaintsOf } from "./complaints.ts";
import { writeNew } from "./newfile.ts";
import { Output } from "./output.ts";
import { localPorts } from "./localports.ts";
import type { SharedFlags, World } from "./world.ts";

export interface InitFlags extends SharedFlags {
  readonly fromCluster?: boolean;
  readonly yes?: boolean;
  readonly context?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
}

/** Names under which a project's file is found: one of them being there, a second would not be read. */
const TAKEN = ["forwards.yaml", "forwards.yml", "kfwd.yaml", "kfwd.yml"];

const FILE = "forwards.yaml";
const LOCAL_FILE = "forwards.local.yaml";
const EXAMPLE = "8080:svc/api:http";

export async function init(world: World, flags: InitFlags): Promise<number> {
  const out = new Output(world, flags);
  refuseBadNamespace(flags.namespace);
  const there = TAKEN.find((name) => existsSync(join(world.cwd, name)));
  if (there !== undefined) {
    throw new KfwdError("USAGE", `"${there}" is there already, and is left as it is`, { hint: "kfwd check" });
  }
  const text = await textOf(world, flags, out);
  if (text === undefined) return 130;
  writeNew(world, FILE, text);
  out.note(`wrote ${FILE}`);
  if (ignoreLocalFile(world)) out.note(`added ${LOCAL_FILE} to .gitignore`);
  out.note("next: kfwd check, then kfwd up");
  return 0;
}

function textOf(world: World, flags: InitFlags, out: Output): Promise<string | undefined> {
  if (flags.fromCluster) return fromCluster(world, flags, out);
  if (flags.yes) {
    const { namespace } = flags;
    return Promise.resolve(
      written({ name: nameOf(world), namespace, context: flags.context, forwards: [EXAMPLE] }),
    );
  }
  return fromQuestions(world, flags);
}

async function fromQuestions(world: World, flags: InitFlags): Promise<string | undefined> {
  const { stdin, stderr } = world;
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new KfwdError("USAGE", "init asks questions, and there is no terminal to ask them on", {
      hint: "kfwd init -y writes an example, kfwd init --from-cluster what it finds in a namespace",
    });
  }
  const { ask } = await world.loadPrompts();
  const answers = await ask(
    { input: stdin, output: stderr },
    {
      name: nameOf(world),
      judgeName: (name) => (PROJECT_NAME.test(name) ? undefined : `a name is ${PROJECT_NAME_RULE}`),
      judgeNamespace: (name) => (LABEL.test(name) ? undefined : `a namespace is ${LABEL_RULE}`),
      judgeForward,
    },
  );
  const { context, namespace } = flags;
  return answers && written({ context, ...answers, namespace: answers.namespace || namespace });
}

/** What the file's own reader says. */
function judgeForward(text: string): string | undefined {
  const problems: string[] = [];
  readCompact(text, ({ message }) => problems.push(message));
  return problems[0];
}

async function fromCluster(world: World, flags: InitFlags, out: Output): Promise<string> {
  const { context, namespace, kubeconfig } = flags;
  const survey = await world.runtime.survey();
  try {
    const { signal } = new AbortController();
    const where = {
      ...(context !== undefined && { context }),
      ...(namespace !== undefined && { namespace }),
      ...(kubeconfig !== undefined && { kubeconfig: resolve(world.cwd, kubeconfig) }),
    };
    const { place, services } = await survey.services(where, signal);
    const { writeChecked } = await world.loadImporters();
    const about = `The Services of namespace ${place.namespace} when this file was made.`;
    const leftOut = services.filter(({ hasSelector }) => !hasSelector);
    const { text, forwards, report } = writeChecked(
      { about, name: nameOf(world) },
      draftsOf(services, { context, namespace: place.namespace }),
      leftOut.map(({ name }) => ({ what: name, why: "the Service has no pods of its own" })),
      complaintsOf,
    );
    if (forwards === 0) {
      throw new KfwdError(
        "CONFIG_INVALID",
        `namespace ${quoted(place.namespace)} has no Service to forward to`,
        {
          hint: "name another one: kfwd init --from-cluster -n NAMESPACE",
        },
      );
    }
    for (const line of report) out.note(visible(line));
    return text;
  } finally {
    await survey[Symbol.asyncDispose]();
  }
}

function draftsOf(
  services: readonly SeenService[],
  place: { readonly context: string | undefined; readonly namespace: string },
) {
  const choose = localPorts();
  return services
    .filter(({ hasSelector }) => hasSelector)
    .flatMap(({ name, ports }) =>
      ports
        .filter(({ protocol }) => protocol === "TCP" || protocol === "UDP")
        .map((port) => ({
          ...place,
          name: ports.length === 1 ? name : `${name}-${port.name ?? port.port}`,
          target: `svc/${name}`,
          port: port.name === undefined || isNumeral(port.name) ? port.port : port.name,
          local: choose(port.port),
          protocol: port.protocol === "UDP" ? ("udp" as const) : undefined,
        })),
    );
}

/** Kubernetes takes a name of digits alone, which in a file would be a number. */
function isNumeral(name: string): boolean {
  return /^[0-9]+$/.test(name);
}

interface Contents {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly context: string | undefined;
  /** In compact form. */
  readonly forwards: readonly string[];
}

/** By hand and not by the importers' writer, because a newcomer reads it. */
function written({ name, namespace, context, forwards }: Contents): string {
  const names = new Set<string>();
  const rows = forwards.map((compact) => {
    const base = /\/([a-z][a-z0-9-]*)[^/]*(?:\/\w+)?$/.exec(compact)?.[1]?.slice(0, 36) ?? "forward";
    let own = base;
    for (let count = 2; names.has(own); count++) own = `${base}-${count}`;
    names.add(own);
    return `  ${own}: ${JSON.stringify(compact)}`;
  });
  return [
    "# yaml-language-server: $schema=./node_modules/kfwd/schema/forwards.v1.json",
    "version: 1",
    `name: ${JSON.stringify(name)}`,
    ...(context === undefined ? [] : [`context: ${JSON.stringify(context)}`]),
    ...(namespace === undefined || namespace === "" ? [] : [`namespace: ${JSON.stringify(namespace)}`]),
    "",
    "forwards:",
    "  # name: local port, what to forward to, its port. The README of kfwd has all other fields.",
    ...rows,
    "",
  ].join("\n");
}

function nameOf({ cwd }: World): string {
  const name = basename(cwd)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? "default" : name;
}

/** True when it was added: in a repository whose .gitignore does not have it. */
function ignoreLocalFile({ cwd }: World): boolean {
  if (!isInRepository(cwd)) return false;
  const path = join(cwd, ".gitignore");
  try {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (text.split(/\r?\n/).some((line) => line.trim().replace(/^\//, "") === LOCAL_FILE)) return false;
    appendFileSync(path, `${text === "" || text.endsWith("\n") ? "" : "\n"}${LOCAL_FILE}\n`);
    return true;
  } catch (thrown) {
    throw new KfwdError("USAGE", `wrote ${FILE}, but cannot write .gitignore: ${fileTrouble(thrown)}`, {
      hint: `add this line to it: ${LOCAL_FILE}`,
      cause: thrown,
    });
  }
}

function isInRepository(folder: string): boolean {
  if (existsSync(join(folder, ".git"))) return true;
  return dirname(folder) !== folder && isInRepository(dirname(folder));
}
