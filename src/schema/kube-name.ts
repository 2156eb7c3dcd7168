/** Names as Kubernetes allows them. They end up in URL paths, so nothing else may pass. */

/** A DNS-1123 label, at most 63 characters: namespaces, Service ports. */
export const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
export const LABEL_RULE = 'lowercase letters, digits and "-", at most 63';

export const SUBDOMAIN_RULE = 'lowercase letters, digits, "-" and ".", at most 253';

const SUBDOMAIN_PART = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN_MAX_CHARS = 253;

/** Names of most objects: DNS-1123 subdomains, of which Kubernetes limits the whole but not the parts. */
export function isSubdomain(name: string): boolean {
  return name.length <= SUBDOMAIN_MAX_CHARS && name.split(".").every((part) => SUBDOMAIN_PART.test(part));
}
