/** SelfSubjectAccessReview: a user asks what it may do. */
import type { IncomingMessage } from "node:http";
import * as z from "zod/mini";
import { allows, type Account } from "./accounts.ts";
import type { Answer } from "./answers.ts";
import type { ApiCall } from "./apicall.ts";
import { readJsonBody } from "./requestbody.ts";
import { badRequest, unsupportedMediaType } from "./statuses.ts";

const VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"] as const;

const Review = z.object({
  spec: z.object({
    resourceAttributes: z.object({
      namespace: z.optional(z.string()),
      verb: z.enum(VERBS),
      resource: z.string(),
      subresource: z.optional(z.string()),
    }),
  }),
});

/** Whether the call is such a question, which everybody known may ask. */
export function isReview({ group, resource, verb }: ApiCall): boolean {
  return group === "authorization.k8s.io" && resource === "selfsubjectaccessreviews" && verb === "create";
}

/** Says what the account may do; takes JSON only. */
export async function answerReview(account: Account, request: IncomingMessage): Promise<Answer> {
  const body = await readJsonBody(request);
  if (body === undefined) return { status: 415, body: unsupportedMediaType() };
  const review = Review.safeParse(body);
  if (!review.success) return { status: 400, body: badRequest("cannot read the SelfSubjectAccessReview") };
  const { namespace, verb, resource, subresource } = review.data.spec.resourceAttributes;
  const allowed = allows(account, { verb, resource, subresource, namespace: namespace || undefined });
  const head = { kind: "SelfSubjectAccessReview", apiVersion: "authorization.k8s.io/v1", metadata: {} };
  return { status: 201, body: { ...head, spec: review.data.spec, status: { allowed } } };
}
