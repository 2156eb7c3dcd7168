/** What differs between versions of Kubernetes, as far as port-forwards go. */
export interface KubernetesVersion {
  /** Of 1.x. */
  readonly minor: number;
  /** The gate PortForwardWebsockets, as it is unless someone turns it. */
  readonly tunnels: boolean;
  /** The gate AuthorizePodWebsocketUpgradeCreatePermission: who forwards by GET needs `create` beside `get`. */
  readonly getNeedsCreate: boolean;
}

/** That whose answers the sandbox's were compared with. */
export const DEFAULT_MINOR = 36;

/** The version 1.`minor`. */
export function kubernetesVersion(minor: number): KubernetesVersion {
  return { minor, tunnels: minor >= 31, getNeedsCreate: minor >= 35 };
}
