/** The relay's pod as it is sent to the API server: a pure function of what the file says and whose relay it is. */
import type { Relays } from "../deps.ts";

/** Where the relay listens inside its pod. */
export const RELAY_PORT = 7713;

/** A stock image; `relay.image` names another one. */
export const RELAY_IMAGE = "docker.io/library/node:24-alpine";

/** What the file may say of the pod. */
export type RelayWishes = Parameters<Relays["relay"]>[1];

/** Whose relay it is. All of it can be read by whoever may read pods. */
export interface RelayOwner {
  /** Display name of the project. */
  readonly project: string;
  /** Of the project; of this run of its supervisor; of the user on this machine: hex digits that tell nothing else. */
  readonly projectId: string;
  readonly run: string;
  readonly user: string;
}

/** Label of all relays of one user, by which leftovers are looked for. */
export const USER_LABEL = "kfwd/user";
const RUN_LABEL = "kfwd/run";
export const PROJECT_ID_LABEL = "kfwd/project-id";
export const PROJECT_ANNOTATION = "kfwd/project";

/** After which Kubernetes ends it, whatever has become of everybody else. */
const LIFE_S = 24 * 60 * 60;

const REQUESTS = { cpu: "20m", memory: "64Mi" };
const LIMITS = { cpu: "1", memory: "128Mi" };

/** Node's heap is kept well below the limit of memory: buffers and the rest need the other half. */
const HEAP_MIB = 48;

/** What it runs, and the public half of its key. */
export interface RelayText {
  readonly text: string;
  readonly key: string;
}

/** Passes the Pod Security Standard "restricted", and quotas that ask for requests and limits. */
export function relayManifest(
  owner: RelayOwner,
  namespace: string,
  wishes: RelayWishes,
  program: RelayText,
): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, ...metadataOf(owner, wishes) },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: LIFE_S,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...placing(wishes),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [container(wishes, program)],
    },
  };
}

function metadataOf(
  { project, projectId, run, user }: RelayOwner,
  { labels, annotations }: RelayWishes,
): object {
  const name = project
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 30)
    .replaceAll(/^-+|-+$/g, "");
  return {
    generateName: name === "" ? "kfwd-relay-" : `kfwd-relay-${name}-`,
    labels: {
      "sidecar.istio.io/inject": "false",
      ...labels,
      "app.kubernetes.io/name": "kfwd-relay",
      "app.kubernetes.io/managed-by": "kfwd",
      [USER_LABEL]: user,
      [RUN_LABEL]: run,
      [PROJECT_ID_LABEL]: projectId,
    },
    annotations: {
      "sidecar.istio.io/inject": "false",
      "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
      ...annotations,
      [PROJECT_ANNOTATION]: project,
    },
  };
}

/** Where it runs and as whom. */
function placing({ serviceAccount, imagePullSecrets, nodeSelector, tolerations }: RelayWishes): object {
  const secrets = imagePullSecrets?.map((secret) => ({ name: secret }));
  return {
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(secrets === undefined ? {} : { imagePullSecrets: secrets }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
  };
}

function container({ image, resources }: RelayWishes, { text, key }: RelayText): object {
  const env = { KFWD_RELAY_KEY: key, KFWD_RELAY_PORT: String(RELAY_PORT), UV_THREADPOOL_SIZE: "16" };
  return {
    name: "relay",
    image: image ?? RELAY_IMAGE,
    imagePullPolicy: "IfNotPresent",
    command: ["node", `--max-old-space-size=${HEAP_MIB}`, "-e", text],
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    resources: {
      requests: { ...REQUESTS, ...resources?.requests },
      limits: { ...LIMITS, ...resources?.limits },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
}
