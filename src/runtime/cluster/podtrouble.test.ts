import { describe, expect, test } from "vitest";
import { ContainerStatus, troubleOf, type PodFacts } from "./podtrouble.ts";

function facts(containers: readonly object[], change: Partial<PodFacts> = {}): PodFacts {
  return {
    phase: "Running",
    reason: undefined,
    conditions: [],
    initContainers: [],
    containers: containers.map((status) => ContainerStatus.parse(status)),
    ...change,
  };
}

const terminated = (exitCode: number, reason: string, message?: string) => ({
  terminated: { exitCode, reason, ...(message === undefined ? {} : { message }) },
});

describe("why a pod does not serve, as a real kubelet puts it", () => {
  test.each<[string, PodFacts, string]>([
    [
      "an image that does not exist",
      facts([
        {
          image: "registry.invalid/none:1",
          state: {
            waiting: {
              reason: "ErrImagePull",
              message:
                'failed to pull and unpack image "registry.invalid/none:1": failed to resolve reference: dial tcp: lookup registry.invalid: no such host',
            },
          },
        },
      ]),
      "ErrImagePull (registry.invalid/none:1: no such host)",
    ],
    [
      "the wait after that",
      facts([
        {
          image: "local/none:1",
          state: {
            waiting: {
              reason: "ImagePullBackOff",
              message: 'Back-off pulling image "local/none:1": ErrImagePull: 403 Forbidden',
            },
          },
        },
      ]),
      "ImagePullBackOff (local/none:1: 403 Forbidden)",
    ],
    [
      "the wait after that, from an older kubelet",
      facts([
        {
          image: "local/none:1",
          state: {
            waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "local/none:1"' },
          },
        },
      ]),
      "ImagePullBackOff (local/none:1)",
    ],
    [
      "an image that must be there and is not",
      facts([
        {
          image: "local/never:1",
          state: {
            waiting: {
              reason: "ErrImageNeverPull",
              message: 'Container image "local/never:1" is not present with pull policy of Never',
            },
          },
        },
      ]),
      "ErrImageNeverPull (local/never:1)",
    ],
    [
      "a container that exits",
      facts([{ restartCount: 1, state: terminated(1, "Error") }]),
      "stopped (exit 1, 1 restart)",
    ],
    [
      "the wait before it is started again",
      facts([
        {
          restartCount: 4,
          state: {
            waiting: { reason: "CrashLoopBackOff", message: "back-off 1m20s restarting failed container=c" },
          },
          lastState: terminated(137, "OOMKilled"),
        },
      ]),
      "CrashLoopBackOff (last exit 137 OOMKilled, 4 restarts)",
    ],
    [
      "a command that is not there",
      facts([
        {
          restartCount: 2,
          state: { waiting: { reason: "RunContainerError", message: "failed to create containerd task" } },
          lastState: terminated(
            128,
            "StartError",
            'failed to start: unable to start container process: exec: "/nonexistent": stat /nonexistent: no such file or directory',
          ),
        },
      ]),
      "RunContainerError (last exit 128 StartError, no such file or directory, 2 restarts)",
    ],
    [
      "a ConfigMap that is not there",
      facts([
        {
          state: { waiting: { reason: "CreateContainerConfigError", message: 'configmap "nope" not found' } },
        },
      ]),
      'CreateContainerConfigError (configmap "nope" not found)',
    ],
    ["a readiness probe that fails", facts([{ state: { running: {} } }]), "not ready"],
    [
      "no node that fits",
      facts([], {
        phase: "Pending",
        conditions: [
          {
            type: "PodScheduled",
            status: "False",
            reason: "Unschedulable",
            message:
              "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
          },
        ],
      }),
      "Pending (Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector)",
    ],
  ])("%s", (_name, pod, words) => expect(troubleOf(pod)).toBe(words));
});
