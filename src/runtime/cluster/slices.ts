/** EndpointSlices: where a Service leads that does not choose its pods by labels. */
import * as z from "zod/mini";
import type { Kind } from "./objects.ts";

/** A list of addresses that someone keeps for a Service. */
export interface EndpointSlice {
  /** Name of the Service. */
  readonly service: string;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SlicePort {
  /** As the Service calls it; undefined for its only one. */
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: string;
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** Takes connections, as far as its keeper says. */
  readonly ready: boolean;
  /** UID or name of the pod that it is, where its keeper says so. */
  readonly pod: { readonly name: string; readonly uid: string | undefined } | undefined;
}

const maybe = z.nullish(z.string());

const SliceShape = z.object({
  metadata: z.object({ labels: z.nullish(z.object({ "kubernetes.io/service-name": maybe })) }),
  ports: z.nullish(z.array(z.object({ name: maybe, port: z.nullish(z.number()), protocol: maybe }))),
  endpoints: z.nullish(
    z.array(
      z.object({
        addresses: z.nullish(z.array(z.string())),
        conditions: z.nullish(
          z.object({ ready: z.nullish(z.boolean()), terminating: z.nullish(z.boolean()) }),
        ),
        targetRef: z.nullish(z.object({ kind: maybe, name: maybe, uid: maybe })),
      }),
    ),
  ),
});

export const SLICES: Kind<EndpointSlice> = {
  resource: "endpointslices",
  group: ["apis", "discovery.k8s.io", "v1"],
  read(json) {
    const parsed = SliceShape.safeParse(json);
    if (!parsed.success) return undefined;
    const { metadata, ports, endpoints } = parsed.data;
    return {
      service: metadata.labels?.["kubernetes.io/service-name"] ?? "",
      ports: (ports ?? []).flatMap(({ name, port, protocol }) =>
        port ? [{ name: name || undefined, port, protocol: protocol ?? "TCP" }] : [],
      ),
      endpoints: (endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
        addresses: addresses ?? [],
        ready: conditions?.ready !== false && conditions?.terminating !== true, // unknown counts as ready
        pod:
          targetRef?.kind === "Pod" && targetRef.name
            ? { name: targetRef.name, uid: targetRef.uid || undefined }
            : undefined,
      })),
    };
  },
};
