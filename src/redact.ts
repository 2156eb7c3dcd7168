/** Takes what looks like a secret out of text, as the last line of defence: nobody should log one to begin with. */

const HIDDEN = "[redacted]";

/** Longest text looked at, in characters; the rest is cut off. */
const TEXT_MAX = 4096;

/** What is kept of a match before the secret, and the secret. None of them can backtrack far on {@link TEXT_MAX}. */
const SECRETS: readonly RegExp[] = [
  /(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}/gi,
  // NAME=value, NAME: value and their like, with what stands before and behind in the name: AWS_SECRET_ACCESS_KEY
  /(\b[\w-]{0,40}?(?:authorization|token|password|passwd|passphrase|secret|api[-_]?key|access[-_]?key|private[-_]?key)(?:[-_]?(?:access[-_]?)?key|[-_]?id)?["']?\s*[:=]\s*["']?)[^\s"',;&]{4,}/gi,
  /(--?[\w-]{0,40}?(?:token|password|passwd|passphrase|secret|api-?key)[ \t]+["']?)(?!-|(?:must|cannot|should|needs|requires|flag|option|with)\b)[^\s"',;&]{4,}/gi, // an option's
  /([?&](?:sig|code|key|(?:x-\w{1,8}-)?(?:signature|credential))=)[^\s"'&#]{4,}/gi, // signed addresses, logins in a browser
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, // AWS
  /()\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g, // JSON web tokens: service accounts, OIDC
  /()\b(?:k8s-aws-v1\.|ya29\.|sha256~|gh[oprsu]_|glpat-)[\w.~+/=-]{8,}/g, // EKS, Google, OpenShift, GitHub, GitLab
  /(:\/\/[^\s/:@]{0,64}:)[^\s/@]{1,256}(?=@)/g, // user:password@ of a URL
  /()-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g,
];

/** Names of fields whose values are secrets whatever they look like. */
const SECRET_NAME = /^(authorization|.*token|.*password|.*secret|.*key-?data)$/i;

/** `text` without what looks like a credential, and no longer than 4 KiB. */
export function redactText(text: string): string {
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
  return SECRETS.reduce((rest, secret) => rest.replace(secret, `$1${HIDDEN}`), cut);
}

/** The value of a field with this name, as far as it may be shown. */
export function redactField<T>(name: string, value: T): T | string {
  if (typeof value !== "string") return value;
  return SECRET_NAME.test(name) ? HIDDEN : redactText(value);
}
