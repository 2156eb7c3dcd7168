import { expect, test } from "vitest";
import { auditIds, countRequests } from "./audit.ts";

function event(auditID: string, verb: string, resource: string, more: object = {}): string {
  const [name, subresource] = resource.split("/");
  const objectRef = { namespace: "bench", resource: name, ...(subresource ? { subresource } : {}) };
  return `${JSON.stringify({ auditID, verb, userAgent: "kfwd/1.2.3", objectRef, ...more })}\n`;
}

const wanted = { namespace: "bench", agent: "kfwd/", before: new Set<string>() };

test("a request counts once, whatever stages of it are in the log", () => {
  const log = event("1", "watch", "pods") + event("1", "watch", "pods") + event("2", "watch", "pods");
  expect(countRequests(log, wanted)).toEqual(new Map([["watch pods", 2]]));
});

test("a subresource is told from its resource", () => {
  const log = event("1", "create", "pods/portforward") + event("2", "list", "pods");
  const counts = [
    ["create pods/portforward", 1],
    ["list pods", 1],
  ] as const;
  expect(countRequests(log, wanted)).toEqual(new Map(counts));
});

test("requests of others, of other namespaces, of before, and without a namespace are left out", () => {
  const log = [
    event("1", "list", "pods", { userAgent: "kubectl/v1" }),
    event("2", "list", "pods", { userAgent: undefined }),
    event("3", "list", "pods", { objectRef: { namespace: "other", resource: "pods" } }),
    event("4", "get", "pods", { objectRef: undefined }),
    event("5", "list", "pods"),
  ].join("");
  expect(countRequests(log, { ...wanted, before: auditIds(event("5", "list", "pods")) })).toEqual(new Map());
});

test("a last line that is still being written is left out", () => {
  const log = event("1", "list", "pods") + event("2", "list", "pods").slice(0, 30);
  expect(auditIds(log)).toEqual(new Set(["1"]));
});
