import { expect, test } from "vitest";
import { FakeNet } from "../../../test/fakes/world.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import { KeptPorts, listenFor } from "./autoports.ts";

const spec = (name: string, more: Partial<ForwardSpec> = {}): ForwardSpec => ({
  name,
  target: { kind: "svc", name },
  protocol: "tcp",
  local: "auto",
  bind: ["localhost"],
  required: true,
  source: { file: "forwards.yaml", line: 1, column: 1 },
  ...more,
});
const RANGE = { localRange: { first: 8080, last: 8083 } };
const CLIENTS = { onConnection: () => {}, onRefused: () => {} };

function world(had: readonly (readonly [string, number])[] = []) {
  const written: (readonly (readonly [string, number])[])[] = [];
  const autoPorts = new KeptPorts({ read: () => had, write: (ports) => void written.push(ports) });
  const net = new FakeNet();
  const bind = async (one: ForwardSpec) => {
    const listen = (port: number) => net.listen({ bind: one.bind, port, label: one.name }, CLIENTS);
    return (await listenFor(autoPorts, one, listen)).local[0]?.port;
  };
  return { autoPorts, net, bind, written };
}

test("takes the lowest free port of the range, past those that other forwards of the file must have", async () => {
  const { autoPorts, net, bind, written } = world();
  autoPorts.reserve([spec("fixed", { local: 8080 }), spec("a"), spec("b")]);
  net.taken.add(8081);
  expect([await bind(spec("a", RANGE)), await bind(spec("b", RANGE))]).toEqual([8082, 8083]);
  expect(written.at(-1)).toEqual([
    ["a", 8082],
    ["b", 8083],
  ]);
});

test("keeps the port it had, also where another asks first", async () => {
  const { bind, written } = world([
    ["a", 8080],
    ["b", 8082],
  ]);
  expect([
    await bind(spec("new", RANGE)),
    await bind(spec("b", RANGE)),
    await bind(spec("a", RANGE)),
  ]).toEqual([8081, 8082, 8080]);
  expect(written).toHaveLength(1);
});

test("takes another where the old one is taken, reserved or out of the range", async () => {
  const { autoPorts, net, bind } = world([
    ["a", 8082],
    ["b", 9000],
    ["c", 8083],
  ]);
  autoPorts.reserve([spec("fixed", { local: 8083 })]);
  net.taken.add(8082);
  expect([await bind(spec("a", RANGE)), await bind(spec("b", RANGE))]).toEqual([8080, 8081]);
});

test("lends the port of a forward that does not run rather than failing", async () => {
  const { bind } = world([
    ["gone", 8080],
    ["gone-too", 8081],
  ]);
  expect([await bind(spec("a", RANGE)), await bind(spec("b", RANGE)), await bind(spec("c", RANGE))]).toEqual([
    8082, 8083, 8080,
  ]);
});

test("says so where none of the range is free, and fails at once for other reasons", async () => {
  const { net, bind } = world();
  for (const port of [8080, 8081, 8082, 8083]) net.taken.add(port);
  await expect(bind(spec("a", RANGE))).rejects.toThrow(
    'cannot bind a port of 8080-8083 for forward "a": none is free',
  );
});

test("without a range it is any port, the last one if it is free", async () => {
  const { net, bind } = world([["a", 20_000]]);
  expect(await bind(spec("a"))).toBe(20_000);
  net.taken.add(20_000);
  expect(await bind(spec("b"))).toBeGreaterThan(30_000);
});
