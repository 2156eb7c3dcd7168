import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseForwards } from "../schema/parse.ts";
import { FORMATS, formatOf, importText, isFormat, type Complaint, type Format } from "./index.ts";

const FILE = { name: "forwards.yaml", folder: "/repo", home: "/home/ann" };

function check(text: string): readonly Complaint[] {
  const result = parseForwards(text, FILE);
  return result.kind === "valid" ? [] : result.diagnostics;
}

/** The text without its heading, and what is reported. */
function imported(
  text: string,
  format: Format,
): { readonly yaml: string; readonly report: readonly string[] } {
  expect(formatOf(text)).toBe(format);
  const { text: yaml, report } = importText(text, format, check);
  if (yaml !== "") expect(check(yaml)).toEqual([]);
  return { yaml: yaml.split("\n").slice(3).join("\n"), report };
}

describe("kubectl", () => {
  test("lines of a script", () => {
    const script = `#!/bin/sh
# our forwards
kubectl -n shop --context kind-dev port-forward svc/api 8080:80 :9000 &
PORT=1 kubectl port-forward --namespace=shop --context=kind-dev postgres-0 5432 >/dev/null 2>&1 & wait
kubectl port-forward \\
  --address 0.0.0.0 -nshop --context kind-dev deployment/web 3000:http
`;
    expect(imported(script, "kubectl")).toEqual({
      yaml: `context: kind-dev
namespace: shop

forwards:
  api-80: "8080:svc/api:80"
  api-9000: "auto:svc/api:9000"
  postgres-0: "5432:pod/postgres-0:5432"
  web:
    target: deployment/web
    port: http
    local: 3000
    bind: "0.0.0.0"
`,
      report: [],
    });
  });

  test("what only the script knows is left out or remarked on", () => {
    const script = `
kubectl port-forward -n $NS svc/api 8080:80
kubectl port-forward $POD 8080
kubectl port-forward "$(kubectl get pods -o name | head -1)" 8080
kubectl port-forward svc/api http
helm port-forward svc/x 1
kubectl port-forward svc/api 1:2:3 99999
`;
    expect(imported(script, "kubectl")).toEqual({
      yaml: `
forwards:
  # its namespace was \${NS}
  api: "8080:svc/api:80"
  # kubectl looks the number of this port up: write it as local
  api-2: "auto:svc/api:http"

  # Left out:
  #   kubectl port-forward \${POD} 8080: \${POD} is known to the script alone
  #   kubectl port-forward $(kubectl get pods -o name | head -1) 8080: $(kubectl get pods -o name | head -1) is known to the script alone
  #   helm port-forward svc/x 1: it is no command of kubectl
  #   kubectl port-forward svc/api 1:2:3 99999: it cannot read the port 1:2:3
  #   kubectl port-forward svc/api 1:2:3 99999: it cannot read the port 99999
`,
      report: expect.any(Array) as string[],
    });
  });
});

describe("kftray", () => {
  test("its remote_port is the pod's", () => {
    const json = JSON.stringify([
      {
        workload_type: "service",
        service: "api",
        namespace: "shop",
        context: "kind-dev",
        local_port: 8080,
        remote_port: 3000,
        protocol: "tcp",
        alias: "My API",
        local_address: "127.0.0.1",
        kubeconfig: "default",
      },
      {
        workload_type: "pod",
        target: "app=web,tier=front",
        namespace: "shop",
        context: "kind-dev",
        local_port: 0,
        remote_port: 80,
        protocol: "tcp",
        alias: "web",
      },
      {
        workload_type: "service",
        service: "api",
        namespace: "shop",
        context: "kind-dev",
        local_port: 8080,
        remote_port: 9090,
        protocol: "tcp",
        http_logs_enabled: true,
      },
      { workload_type: "expose", alias: "mine", namespace: "shop", local_port: 1 },
      {
        workload_type: "service",
        service: "x",
        namespace: "shop",
        protocol: "sctp",
        local_port: 1,
        remote_port: 1,
      },
      {
        workload_type: "service",
        service: "Bad_Name",
        namespace: "shop",
        context: "kind-dev",
        protocol: "tcp",
        local_port: 2,
        remote_port: 1,
      },
    ]);
    expect(imported(json, "kftray")).toEqual({
      yaml: `context: kind-dev
namespace: shop

forwards:
  my-api:
    target: svc/api
    targetPort: 3000
    local: 8080
  web:
    target: { selector: "app=web,tier=front" }
    port: 80
    local: auto
  # kfwd does not log HTTP
  # its local port was 8080, which another forward has
  api:
    target: svc/api
    targetPort: 9090
    local: auto

  # Left out:
  #   mine: kfwd exposes nothing of this machine in the cluster
  #   x: kfwd knows tcp and udp, not sctp
  #   bad-name: the name of a target must be lowercase letters, digits, "-" and ".", at most 253, got "Bad_Name"
`,
      report: [
        "api: kfwd does not log HTTP",
        "api: its local port was 8080, which another forward has",
        "left out mine: kfwd exposes nothing of this machine in the cluster",
        "left out x: kfwd knows tcp and udp, not sctp",
        expect.stringContaining('got "Bad_Name"') as string,
      ],
    });
  });

  test("a proxy becomes a host behind the relay, an alias with a domain a name for the hosts file", () => {
    const json = JSON.stringify([
      {
        workload_type: "proxy",
        remote_address: "orders.abc.rds.amazonaws.com",
        namespace: "shop",
        context: "current-context",
        local_port: 5433,
        remote_port: 5432,
        protocol: "tcp",
        alias: "orders",
        domain_enabled: true,
      },
      {
        workload_type: "service",
        service: "dns",
        namespace: "shop",
        local_port: 5353,
        remote_port: 53,
        protocol: "udp",
        local_address: "127.0.0.2",
      },
    ]);
    expect(imported(json, "kftray")).toEqual({
      yaml: `namespace: shop

forwards:
  orders:
    target: host/orders.abc.rds.amazonaws.com
    port: 5432
    local: 5433
    hosts: [orders]
  dns:
    target: svc/dns
    targetPort: 53
    local: 5353
    bind: "127.0.0.2"
    protocol: udp
`,
      report: [],
    });
  });

  test("annotations of Services, as kubectl prints them", () => {
    const list = `
kind: List
items:
  - kind: Service
    metadata:
      name: api
      namespace: shop
      annotations: { kftray.app/enabled: "true", kftray.app/configs: "my-api-8080-http,dbg-9229-9229,odd" }
    spec: { ports: [{ name: http, port: 80 }] }
  - kind: Service
    metadata: { name: db, namespace: shop, annotations: { kftray.app/enabled: "true" } }
    spec: { ports: [{ port: 5432 }] }
  - kind: Service
    metadata: { name: silent, namespace: shop }
    spec: { ports: [{ port: 1 }] }
`;
    expect(imported(list, "kftray-services")).toEqual({
      yaml: `namespace: shop

forwards:
  my-api: "8080:svc/api:http"
  dbg:
    target: svc/api
    targetPort: 9229
    local: 9229
  db: "5432:svc/db:5432"

  # Left out:
  #   api: odd: kftray.app/configs is alias-localport-targetport
`,
      report: ["left out api: odd: kftray.app/configs is alias-localport-targetport"],
    });
  });
});

test("an alias that is no name of a host costs kftray's forward only that", () => {
  const config = {
    alias: "My Web!",
    workload_type: "service",
    service: "web",
    remote_port: 80,
    local_port: 8080,
  };
  expect(imported(JSON.stringify([{ ...config, domain_enabled: true }]), "kftray")).toMatchObject({
    yaml: expect.stringContaining("  my-web:\n    target: svc/web\n") as string,
    report: ['my-web: its alias cannot be the name of a host: "My Web!"'],
  });
});

describe("the others", () => {
  test("compose: short and long ports, ranges, variables", () => {
    const file = `
services:
  web:
    ports: ["3000:80", "127.0.0.1:9229:9229", "\${PORT:-8443}:443/tcp", "\${NEEDED}:1"]
  db:
    ports: [{ target: 5432, published: "15432" }]
  many:
    ports: ["7000-7001:9000-9001", "1000-2000:1000-2000"]
  any:
    ports: [8081]
  none: {}
`;
    const { yaml, report } = imported(file, "compose");
    expect(yaml.split("\n").filter((line) => !line.includes("guess"))).toEqual(
      `
forwards:
  web-80: "3000:svc/web:80"
  web-9229: "9229:svc/web:9229"
  web-443: "8443:svc/web:443"
  db: "15432:svc/db:5432"
  many-9000: "7000:svc/many:9000"
  many-9001: "7001:svc/many:9001"
  any: "auto:svc/any:8081"

  # Left out:
  #   web: \${NEEDED}:1: it has a variable without a default
  #   many: 1000-2000:1000-2000: it is more than 20 ports
`.split("\n"),
    );
    expect(report).toContain("left out web: ${NEEDED}:1: it has a variable without a default");
  });

  test("skaffold: resources, names of ports, profiles", () => {
    const file = `
apiVersion: skaffold/v4beta11
kind: Config
portForward:
  - { resourceType: Service, resourceName: api, namespace: shop, port: http, localPort: 8080 }
  - { resourceType: deployment, resourceName: web, namespace: shop, port: 80 }
  - { resourceType: statefulset, resourceName: db, namespace: "{{.NS}}", port: pg, address: 0.0.0.0 }
  - { resourceType: container, resourceName: x, port: 1 }
profiles:
  - name: debug
    portForward:
      - { resourceType: pod, resourceName: dbg, namespace: shop, port: 9229 }
    patches: [{ op: add, path: /portForward/0, value: {} }]
`;
    expect(imported(file, "skaffold").yaml).toBe(
      `
forwards:
  api: "8080:shop/svc/api:http"
`.replace("svc", "service") +
        `  web: "80:shop/deployment/web:80"
  # its namespace was {{.NS}}
  # Skaffold would choose the local port
  db:
    target: statefulset/db
    port: pg
    local: auto
    bind: "0.0.0.0"
  # of Skaffold's profile debug
  dbg: "9229:shop/pod/dbg:9229"

  # Left out:
  #   container/x: only Skaffold knows which pod that is
  #   patches of profile debug: kfwd does not apply patches
`,
    );
  });

  test("devspace: version 6 and version 5", () => {
    const six = `
version: v2beta1
dev:
  api:
    labelSelector: { app: api, tier: back }
    namespace: shop
    ports: [{ port: "8080:80" }, { port: 9229, bindAddress: 0.0.0.0 }]
    reversePorts: [{ port: 1 }]
  web: { imageSelector: web, ports: [{ port: "1:2" }] }
`;
    expect(imported(six, "devspace").yaml).toBe(`namespace: shop

forwards:
  api-80:
    target: { selector: "app=api,tier=back" }
    port: 80
    local: 8080
  api-9229:
    target: { selector: "app=api,tier=back" }
    port: 9229
    bind: "0.0.0.0"

  # Left out:
  #   api: reversePorts: kfwd forwards from this machine to the cluster only
  #   web: 1:2: it finds its pod by the image web, and kfwd finds pods by labels
`);
    const five = `
version: v1beta11
dev:
  ports:
    - labelSelector: { app: db }
      forward: [{ port: 15432, remotePort: 5432 }]
      reverseForward: [{ port: 1 }]
`;
    expect(imported(five, "devspace").yaml).toBe(`
forwards:
  db:
    target: { selector: app=db }
    port: 5432
    local: 15432

  # Left out:
  #   db: reverseForward: kfwd forwards from this machine to the cluster only
`);
  });

  test("kportal: contexts, namespaces, selectors, prefixes", () => {
    const file = `
contexts:
  - name: kind-dev
    namespaces:
      - name: shop
        forwards:
          - { resource: service/api, port: 80, localPort: 8080, alias: api, protocol: tcp }
          - { resource: pod, selector: "app=web", port: 3000, alias: web }
      - name: data
        forwards: [{ resource: pod/postgres, port: 5432 }, { resource: pod, port: 1 }]
`;
    expect(imported(file, "kportal").yaml).toBe(`context: kind-dev

forwards:
  api: "8080:shop/service/api:80"
  web:
    target: { selector: app=web }
    port: 3000
    namespace: shop
  # kportal takes this for the start of a pod's name, kfwd for all of it: a selector serves better
  postgres: "5432:data/pod/postgres:5432"

  # Left out:
  #   pod: it lacks resource, selector or port
`);
  });

  test("krelay: namespaces, protocols, several ports", () => {
    const list = `# targets
-n kube-system svc/kube-dns 10053:53@udp

// comment
deploy/web 8080:http :9000
-l 127.0.0.2 -n shop sts/db 5432
`;
    expect(imported(list, "krelay").yaml).toBe(`
forwards:
  kube-dns: "10053:kube-system/svc/kube-dns:53/udp"
  web-http: "8080:deploy/web:http"
  web-9000: "auto:deploy/web:9000"
  db:
    target: sts/db
    port: 5432
    bind: "127.0.0.2"
    namespace: shop
`);
  });

  test("tilt: every way to write a port", () => {
    const file = `
load('ext://x', 'y')
k8s_resource('api', port_forwards=[9000, '9001:8000', "0.0.0.0:9200:80"], labels=['back'])
k8s_resource(workload='web', new_name='front', port_forwards=port_forward(3000, 80, name='http')) # port
k8s_resource(
  'worker',
  port_forwards = 1 + PORT,
)
k8s_resource(name, port_forwards=1)
k8s_resource('quiet')
`;
    const { yaml, report } = imported(file, "tilt");
    expect(yaml.split("\n").filter((line) => !line.includes("guess"))).toEqual(
      `
forwards:
  # Tilt would take the container's first port
  api-9000: "9000:deploy/api:9000"
  api-8000: "9001:deploy/api:8000"
  api-80:
    target: deploy/api
    port: 80
    local: 9200
    bind: "0.0.0.0"
  front: "3000:deploy/web:80"

  # Left out:
  #   worker, line 5: it cannot read the port: only Tilt can run the Tiltfile
  #   line 9: it names no workload in plain text
`.split("\n"),
    );
    expect(report).toContain("left out line 9: it names no workload in plain text");
  });

  test("tilt: a link's path is that of the url; krelay: addresses and names behind the relay", () => {
    const file = "k8s_resource('web', port_forwards=port_forward(3000, 80, link_path='/docs'))\n";
    expect(imported(file, "tilt").yaml).toContain('    url: "http://{host}:{port}/docs"\n');
    expect(imported("ip/10.0.0.7 8080:80\nhost/redis.example.com 6379\n", "krelay").yaml).toBe(`
forwards:
  f-10-0-0-7:
    target: host/10.0.0.7
    port: 80
    local: 8080
  redis-example-com:
    target: host/redis.example.com
    port: 6379
`);
  });

  test.each([
    ["", undefined],
    ["hello", undefined],
    ["{}", undefined],
    ["forwards: { a: 1 }", "forwards"],
    ["a: *b", undefined],
  ])("%j is %s", (text, format) => {
    expect(formatOf(text)).toBe(format);
  });
});

describe("whatever the text", () => {
  test("names are made such that they may stand, and each once", () => {
    const odd = ["é", "9lives", "-", "A B", "a_b", "x".repeat(60), "x".repeat(60), "api", "API"];
    const json = JSON.stringify(
      odd.map((alias, at) => ({
        workload_type: "service",
        service: "api",
        namespace: "n",
        alias,
        local_port: 8000 + at,
        remote_port: 1,
      })),
    );
    const { yaml } = imported(json, "kftray");
    const names = [...yaml.matchAll(/^ {2}(\S+):$/gm)].map(([, name]) => name);
    expect(names).toEqual([
      "forward",
      "f-9lives",
      "forward-2",
      "a-b",
      "a-b-2",
      "x".repeat(40),
      `${"x".repeat(38)}-2`,
      "api",
      "api-2",
    ]);
  });

  test("no reader throws, and what is written passes the check", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FORMATS),
        fc.constantFrom(...SEEDS),
        fc.array(fc.nat()),
        fc.string({ unit: "binary" }),
        (name, seed, cuts, junk) => {
          let text = seed;
          for (const cut of cuts)
            text = text.slice(0, cut % (text.length + 1)) + junk + text.slice((cut + 3) % (text.length + 1));
          const format = isFormat(name) ? name : "kubectl";
          const { text: yaml, forwards } = importText(text, format, check);
          if (forwards > 0) expect(check(yaml)).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

const SEEDS = [
  `[{"workload_type":"service","service":"a","namespace":"n","alias":"a","local_port":1000,"remote_port":1,"context":"c"}]`,
  "kubectl -n shop port-forward svc/api 8080:80 :9000 http",
  "services: { web: { ports: ['1:2', { target: 1, published: 2 }] } }",
  "apiVersion: skaffold/v4\nportForward: [{ resourceType: service, resourceName: a, port: 1 }]",
  "k8s_resource('a', port_forwards=['1:2', port_forward(3, 4)])",
  "version: v2beta1\ndev: { a: { labelSelector: { b: c }, ports: [{ port: '1:2' }] } }",
  "contexts: [{ name: c, namespaces: [{ name: n, forwards: [{ resource: service/a, port: 1 }] }] }]",
  "-n a svc/b 1:2@udp",
];
