/** What a credential plugin depends on besides the kubeconfig: itself, and the login that somebody made elsewhere. */
import { statSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import type { ExecEntry } from "./kubeconfigfile.ts";

/** Where well-known tools keep their logins, below the user's home folder. */
const LOGINS: Readonly<Record<string, readonly string[]>> = {
  aws: [".aws/sso/cache", ".aws/cli/cache", ".aws/credentials", ".aws/config"],
  "aws-iam-authenticator": [".aws/sso/cache", ".aws/cli/cache", ".aws/credentials", ".aws/config"],
  "gke-gcloud-auth-plugin": [".config/gcloud/credentials.db", ".config/gcloud/access_tokens.db"],
  gcloud: [".config/gcloud/credentials.db", ".config/gcloud/access_tokens.db"],
  kubelogin: [".azure/msal_token_cache.json", ".azure/azureProfile.json", ".kube/cache/oidc-login"],
  az: [".azure/msal_token_cache.json", ".azure/azureProfile.json"],
  kubectl: [".kube/cache/oidc-login"],
  "kubectl-oidc_login": [".kube/cache/oidc-login"],
  tsh: [".tsh", ".tsh/current-profile"],
  doctl: [".config/doctl/config.yaml"],
  oci: [".oci/config", ".oci/sessions"],
};

/** Text that is another one after a login, or when the plugin was installed anew. Reads no contents. */
export function inputsOf(
  { command }: Pick<ExecEntry, "command">,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const name = basename(command).replace(/\.exe$/, "");
  const folders = command === name ? (env["PATH"] ?? "").split(delimiter) : [];
  const programs = command === name ? folders.filter(Boolean).map((folder) => join(folder, name)) : [command];
  const logins = Object.hasOwn(LOGINS, name) ? (LOGINS[name] ?? []) : [];
  return [...programs, ...logins.map((path) => join(home, path))].map(stampOf).join(" ");
}

function stampOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
  } catch {
    return "-"; // nothing that could be read has changed
  }
}
