/** `kfwd rbac`: the least Roles that the file's forwards need, to be applied by whoever may grant them. Asks no cluster. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import { rolesFor, type NeededRole } from "../runtime/index.ts";
import { isSubdomain, LABEL } from "../schema/kube-name.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import { countText } from "./render/forward.ts";
import {
  PLACEHOLDER,
  RBAC,
  roleObjects,
  roleYaml,
  spareLines,
  type NamedRole,
  type Subject,
} from "./render/roletext.ts";
import type { ClusterFlags, World } from "./world.ts";

export interface RbacFlags extends ClusterFlags {
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly serviceaccount?: readonly string[];
}

/** 2 when the files cannot be used. */
export async function rbac(world: World, wanted: readonly string[], flags: RbacFlags): Promise<number> {
  const out = new Output(world, flags);
  const given = subjectsOf(flags);
  const plan = await readPlan(world, flags, wanted, out, "tell");
  if (plan === undefined) return 2;
  const known = plan.forwards.map(({ name }) => name);
  const names = chooseNames(wanted, known);
  const forwards = plan.forwards.filter(({ name }) => names.includes(name));
  const placing = await placed(world, forwards);
  if (placing.trouble !== undefined) {
    const { message } = placing.trouble;
    out.note(`note: the namespace of your context is not known, so it is left out: ${visible(message)}`);
  }
  const roles = rolesFor(placing.forwards);
  if (roles.length === 0) throw new KfwdError("NOTHING_SELECTED", "the file has no forward that is on");
  const name = roleName(plan.project);
  const subjects = given.length === 0 ? [PLACEHOLDER] : given;
  const named = roles.map((role): NamedRole => ({ role, name, subjects }));
  if (flags.json) {
    const manifests = named.flatMap(roleObjects);
    const shown = roles.map(roleRecord);
    const subject = given.length === 0 ? "placeholder" : "given";
    out.json({ schema: "kfwd.rbac/1", project: plan.project, roles: shown, subject, manifests });
    return 0;
  }
  const file = plan.config.shownAs;
  const what = countText(forwards.length, "forward");
  const intro = [`What ${what} of ${visible(file)} must be allowed, and no more.`, ...spareLines(roles)];
  const contexts = new Set(roles.map(({ context }) => context));
  const documents = named.map((one, at) =>
    roleYaml(one, [...(at === 0 ? intro : []), ...aboutPlace(one.role, contexts.size > 1)]),
  );
  out.data(documents.join("\n---\n"));
  return 0;
}

function aboutPlace({ context, namespace }: NeededRole, isOneOfMany: boolean): readonly string[] {
  return [
    ...(isOneOfMany ? [`For context ${visible(context ?? "(the current one)")}.`] : []),
    ...(namespace === undefined ? ["In the namespace of your context: kubectl apply -n NAMESPACE"] : []),
  ];
}

/** With the namespaces that the file leaves to the kubeconfig, as far as that is to be had. */
async function placed(world: World, forwards: readonly ForwardSpec[]) {
  const isOpen = forwards.some(({ namespace }) => namespace === undefined);
  const survey = isOpen ? await world.runtime.survey() : undefined;
  let trouble: KfwdError | undefined;
  try {
    const all = forwards.map((forward) => {
      const { name, target, protocol, via, relay, kubeconfig } = forward;
      const what = { name, target, protocol, ...(via && { via }), ...(relay && { relay }), kubeconfig };
      const { context, namespace } = forward;
      try {
        // Once one is looked up all are, so that those of one namespace come together.
        return { ...what, ...(survey === undefined ? { context, namespace } : survey.place(forward)) };
      } catch (thrown) {
        if (namespace === undefined) trouble ??= KfwdError.from(thrown);
        return { ...what, context, namespace };
      }
    });
    return { forwards: all, trouble };
  } finally {
    await survey?.[Symbol.asyncDispose]();
  }
}

function roleRecord({ kubeconfig, context, namespace, rules }: NeededRole): object {
  return { kubeconfig: kubeconfig ?? null, context: context ?? null, namespace: namespace ?? null, rules };
}

/** Names of Roles may have anything but slashes; those of projects may have what looks odd there. */
function roleName(project: string): string {
  return `kfwd-${project.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
}

/** @throws KfwdError `USAGE`. */
function subjectsOf({ user = [], group = [], serviceaccount = [] }: RbacFlags): readonly Subject[] {
  return [
    ...user.map((name): Subject => ({ kind: "User", name, apiGroup: RBAC })),
    ...group.map((name): Subject => ({ kind: "Group", name, apiGroup: RBAC })),
    ...serviceaccount.map((text): Subject => {
      const [namespace = "", name = "", ...more] = text.split(":");
      if (LABEL.test(namespace) && isSubdomain(name) && more.length === 0) {
        return { kind: "ServiceAccount", name, namespace };
      }
      const message = `"${text}" cannot be a service account`;
      throw new KfwdError("USAGE", message, { hint: "--serviceaccount NAMESPACE:NAME" });
    }),
  ];
}
