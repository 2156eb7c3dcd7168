/** Roles and the bindings of those who get them, as objects and as YAML that says what each rule is for. */
import type { NeededRole, RoleRule } from "../../runtime/index.ts";

/** Who gets a Role, as a RoleBinding names it. */
export type Subject =
  | { readonly kind: "User" | "Group"; readonly name: string; readonly apiGroup: typeof RBAC }
  | { readonly kind: "ServiceAccount"; readonly name: string; readonly namespace: string };

export const RBAC = "rbac.authorization.k8s.io";

/** Stands for whoever the Role is for, until somebody says who that is. */
export const PLACEHOLDER: Subject = { kind: "User", name: "YOUR-USER-NAME", apiGroup: RBAC };

/** A Role that is wanted, under its name and for these subjects. */
export interface NamedRole {
  readonly role: NeededRole;
  readonly name: string;
  readonly subjects: readonly Subject[];
}

/** The Role and the RoleBinding, as the API has them. */
export function roleObjects({ role, name, subjects }: NamedRole): readonly [role: object, binding: object] {
  const { namespace, rules } = role;
  const apiVersion = `${RBAC}/v1`;
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  return [
    { apiVersion, kind: "Role", metadata, rules: rules.map(ruleObject) },
    { apiVersion, kind: "RoleBinding", metadata, roleRef: roleRef(name), subjects },
  ];
}

/** Two documents of YAML without the lines between documents. `about` goes in front as comments. */
export function roleYaml({ role, name, subjects }: NamedRole, about: readonly string[]): string {
  const { namespace, rules } = role;
  const metadata = [
    "metadata:",
    `  name: ${text(name)}`,
    ...(namespace === undefined ? [] : [`  namespace: ${text(namespace)}`]),
  ];
  const head = (kind: string): readonly string[] => [`apiVersion: ${RBAC}/v1`, `kind: ${kind}`, ...metadata];
  const { apiGroup, kind, name: referred } = roleRef(name);
  return [
    ...about.map(comment),
    ...head("Role"),
    "rules:",
    ...rules.flatMap(ruleLines),
    "---",
    ...head("RoleBinding"),
    "roleRef:",
    `  apiGroup: ${apiGroup}`,
    `  kind: ${kind}`,
    `  name: ${text(referred)}`,
    "subjects:",
    ...subjects.flatMap(subjectLines),
  ].join("\n");
}

function ruleObject({ group, resource, verbs }: RoleRule): object {
  return { apiGroups: [group], resources: [resource], verbs };
}

function roleRef(name: string) {
  return { apiGroup: RBAC, kind: "Role", name };
}

function ruleLines(rule: RoleRule): readonly string[] {
  const { group, resource, verbs, forwards, why } = rule;
  return [
    `  # to ${why}: ${forwards.join(", ")}`,
    `  - apiGroups: [${text(group)}]`,
    `    resources: [${text(resource)}]`,
    `    verbs: [${verbs.map(text).join(", ")}]`,
  ];
}

/** What could be left out of the roles, a line each. */
export function spareLines(roles: readonly NeededRole[]): readonly string[] {
  const rules = roles.flatMap((role) => role.rules);
  const lines = rules.flatMap(({ resource, helpful }) =>
    helpful.map(
      ({ verb, without }) => `  ${verb === "watch" ? verb : `${verb} ${resource}`}: else ${without}`,
    ),
  );
  return lines.length === 0 ? [] : ["It works without these, less well:", ...new Set(lines)];
}

function subjectLines(subject: Subject): readonly string[] {
  const [first, last] =
    subject.kind === "ServiceAccount"
      ? [`kind: ${subject.kind}`, `namespace: ${text(subject.namespace)}`]
      : [`kind: ${subject.kind}`, `apiGroup: ${subject.apiGroup}`];
  const note = subject === PLACEHOLDER ? " # or say who: --user, --group, --serviceaccount" : "";
  return [`  - ${first}`, `    name: ${text(subject.name)}${note}`, `    ${last}`];
}

/** YAML reads what JSON writes. */
function text(value: string): string {
  return /^[a-z][a-z0-9-]*$/.test(value) && !WORDS.test(value) ? value : JSON.stringify(value);
}

/** What YAML 1.1, which kubectl reads, takes for something else than text. */
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/;

function comment(line: string): string {
  return line === "" ? "#" : `# ${line}`;
}
