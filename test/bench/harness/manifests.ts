/** What the bench puts into its namespace, as objects for `kubectl apply`. */

/** Ports of every service and pod; podapp.ts says what they do. */
export const ECHO_PORT = 7000;
export const SEND_PORT = 7001;
export const TAKE_PORT = 7002;
export const LATE_PORT = 7003;
export const PAUSE_PORT = 7004;

/** How long {@link PAUSE_PORT} takes to answer. */
export const PAUSE_MS = 5_000;

export const PODS = 10;

/** More services than pods: each pod stands behind several, as replicas in a namespace do. */
export const SERVICES = 50;

/** Service names count from 0; service n leads to pod n modulo {@link PODS}. */
export function serviceName(index: number): string {
  return `echo-${index}`;
}

/** A `List` of {@link PODS} pods that run `program` with `node -e`, and {@link SERVICES} services. */
export function manifests(image: string, program: string): object {
  const pods = Array.from({ length: PODS }, (_, index) => pod(index, image, program));
  const services = Array.from({ length: SERVICES }, (_, index) => service(index));
  return { apiVersion: "v1", kind: "List", items: [...services, ...pods] };
}

/** A Deployment of `program`, which lets its clients finish when it is to end, and a Service of that name. */
export function deployment(name: string, replicas: number, image: string, program: string): object {
  const labels = { app: name };
  const { spec } = pod(0, image, program);
  const [app] = spec.containers;
  const serving = {
    ...app,
    startupProbe: undefined,
    readinessProbe: { tcpSocket: { port: ECHO_PORT }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: 1 } } },
  };
  const template = {
    metadata: { labels },
    spec: { ...spec, terminationGracePeriodSeconds: 5, containers: [serving] },
  };
  return {
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec: { selector: labels, ports: [{ name: "echo", port: ECHO_PORT }] },
      },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name },
        spec: { replicas, selector: { matchLabels: labels }, template },
      },
    ],
  };
}

function service(index: number): object {
  const ports = [
    ...[ECHO_PORT, SEND_PORT, TAKE_PORT, LATE_PORT, PAUSE_PORT].map((port) => ({ name: `p${port}`, port })),
    { name: "udp", port: ECHO_PORT, protocol: "UDP" },
  ];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: serviceName(index) },
    spec: { selector: { app: appName(index % PODS) }, ports },
  };
}

function pod(index: number, image: string, program: string) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: appName(index), labels: { app: appName(index) } },
    spec: {
      dnsPolicy: "Default",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65534,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "app",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["node", "-e", program],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          resources: { requests: { cpu: "10m", memory: "48Mi" } },
          // Only until it listens: a probe that goes on would be measured too.
          startupProbe: { tcpSocket: { port: ECHO_PORT }, periodSeconds: 1, failureThreshold: 120 },
        },
      ],
    },
  };
}

/** The pod behind the service of that number. */
export function appName(index: number): string {
  return `app-${index}`;
}
