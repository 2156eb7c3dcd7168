/** The kubeconfig of one user of a sandbox. */

/** What goes into it. */
export interface KubeconfigFacts {
  /** Name of context and cluster. */
  readonly name: string;
  readonly server: string;
  /** PEM; undefined for plain http. */
  readonly ca: string | undefined;
  readonly user: string;
  readonly token: string;
  readonly namespace: string | undefined;
}

/** JSON, which every reader of YAML takes. */
export function kubeconfigText({ name, server, ca, user, token, namespace }: KubeconfigFacts): string {
  const authority =
    ca === undefined ? {} : { "certificate-authority-data": Buffer.from(ca).toString("base64") };
  const place = namespace === undefined ? {} : { namespace };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user, ...place } }],
    clusters: [{ name, cluster: { server, ...authority } }],
    users: [{ name: user, user: { token } }],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
