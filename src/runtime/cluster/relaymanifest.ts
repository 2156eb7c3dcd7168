/** The relay's pod as it is sent to the API server: a pure function of what the file says and whose relay it is. */
import { RELAY_IMAGE } from "../core/rights.ts";
import type { RelayWish } from "../deps.ts";
import { patched } from "./relaypatch.ts";

/** Where the relay listens inside its pod. */
export const RELAY_PORT = 7713;

/** What the file may say of the pod. */
export type RelayWishes = RelayWish;

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
export const RELAY_LIFE_MS = 24 * 60 * 60 * 1000;

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
  const metadata = metadataOf(owner, wishes);
  const manifest: Manifest = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, ...metadata },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: Math.ceil((wishes.ttlMs ?? RELAY_LIFE_MS) / 1000),
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
  if (wishes.patch === undefined) return manifest;
  const ours = { labels: ownLabels(owner), annotations: { [PROJECT_ANNOTATION]: owner.project } };
  return patched(patched(manifest, wishes.patch), { metadata: ours }); // by these it is found again
}

type Manifest = NonNullable<RelayWish["patch"]>;

function ownLabels({ projectId, run, user }: RelayOwner): Readonly<Record<string, string>> {
  return {
    "app.kubernetes.io/name": "kfwd-relay",
    "app.kubernetes.io/managed-by": "kfwd",
    [USER_LABEL]: user,
    [RUN_LABEL]: run,
    [PROJECT_ID_LABEL]: projectId,
  };
}

function metadataOf(owner: RelayOwner, { labels, annotations }: RelayWishes): Manifest {
  const { project } = owner;
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
      ...ownLabels(owner),
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
function placing({ serviceAccount, imagePullSecrets, nodeSelector, tolerations }: RelayWishes): Manifest {
  const secrets = imagePullSecrets?.map((secret) => ({ name: secret }));
  return {
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(secrets === undefined ? {} : { imagePullSecrets: secrets }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
  };
}

function container({ image, resources, idleMs }: RelayWishes, { text, key }: RelayText): Manifest {
  const env = {
    KFWD_RELAY_KEY: key,
    KFWD_RELAY_PORT: String(RELAY_PORT),
    UV_THREADPOOL_SIZE: "16",
    ...(idleMs === undefined ? {} : { KFWD_RELAY_IDLE_MS: String(idleMs) }),
  };
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
