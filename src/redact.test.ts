import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redactField, redactText } from "./redact.ts";

const jwt = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";

describe("redactText", () => {
  test.each([
    { name: "a bearer header", text: "Authorization: Bearer abcdef0123456789", secret: "abcdef0123456789" },
    { name: "basic credentials", text: "authorization: Basic YW5uOnNlY3JldA==", secret: "YW5uOnNlY3JldA" },
    { name: "a JSON web token", text: `got ${jwt} back`, secret: "eyJzdWIi" },
    { name: "an EKS token", text: "token k8s-aws-v1.aHR0cHM6Ly9zdHM", secret: "aHR0cHM6Ly9zdHM" },
    { name: "a Google token", text: "ya29.a0AfH6SMBx_y-z", secret: "a0AfH6SMBx" },
    { name: "an OpenShift token", text: "sha256~Zm9vYmFyYmF6cXV4", secret: "Zm9vYmFyYmF6cXV4" },
    { name: "a token in JSON", text: '{"token":"hunter2hunter2"}', secret: "hunter2" },
    { name: "a token in a query", text: "https://idp/cb?access_token=hunter2hunter2&x=1", secret: "hunter2" },
    { name: "a password in a URL", text: "http://ann:hunter2@proxy:3128/", secret: "hunter2" },
    { name: "a variable", text: "AWS_SECRET_ACCESS_KEY=hunter2hunter2", secret: "hunter2" },
    { name: "a variable with a session", text: "AWS_SESSION_TOKEN=hunter2hunter2", secret: "hunter2" },
    { name: "a key in JSON", text: '"secret_key": "hunter2hunter2"', secret: "hunter2" },
    { name: "an API key", text: "api_key=hunter2hunter2", secret: "hunter2" },
    { name: "an option's value", text: "oidc --client-secret hunter2hunter2 -v", secret: "hunter2" },
    { name: "an option's value behind =", text: "--oidc-client-secret=hunter2hunter2", secret: "hunter2" },
    { name: "a login's code", text: "GET /callback?code=hunter2hunter2&state=1", secret: "hunter2" },
    {
      name: "a signed address",
      text: "https://b.s3/o?x=1&X-Amz-Signature=hunter2hunter2",
      secret: "hunter2",
    },
    { name: "an AWS key", text: "key AKIAIOSFODNN7EXAMPLE is not active", secret: "AKIAIOSFODNN7EXAMPLE" },
    {
      name: "a private key",
      text: "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
      secret: "MIIEabc",
    },
  ])("hides $name", ({ text, secret }) => {
    expect(redactText(text)).not.toContain(secret);
    expect(redactText(text)).toContain("[redacted]");
  });

  test.each([
    "cannot bind 127.0.0.1:5432: it is in use by postgres (pid 812)",
    "svc/api:http in shop, context dev, pod api-7d9-x2k:8080",
    "https://10.0.0.1:6443/api/v1/namespaces/shop/pods?watch=true",
    "the token has expired",
    "the flag --token must not be empty, nor --password",
    'secrets "api" is forbidden: User "ann" cannot get resource "secrets"',
    "svc/api?port=http, status code=404",
    "sha256 of the file: e3b0c44298fc1c149afbf4c8996fb924",
  ])("leaves %j as it is", (text) => expect(redactText(text)).toBe(text));

  test("cuts what is too long, and takes no time over it", () => {
    const startedMs = performance.now();
    for (const unit of [
      "a",
      "eyJ",
      "bearer ",
      "token=",
      "token_",
      "--token",
      "?code=",
      "://a:",
      "-----BEGIN ",
      " ",
      "=",
    ])
      expect(redactText(unit.repeat(200_000)).length).toBeLessThanOrEqual(20_000);
    expect(performance.now() - startedMs).toBeLessThan(500);
  });

  test("hides a token wherever it stands", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (before, after) => {
        expect(redactText(`${before} ${jwt} ${after}`)).not.toContain("eyJzdWIiOiJhbm4ifQ");
      }),
    );
  });
});

describe("redactField", () => {
  test.each([
    { name: "token", value: "x", wanted: "[redacted]" },
    { name: "clientSecret", value: "x", wanted: "[redacted]" },
    { name: "client-key-data", value: "x", wanted: "[redacted]" },
    { name: "forward", value: "api", wanted: "api" },
    { name: "tokens", value: 5, wanted: 5 },
    { name: "error", value: `no: ${jwt}`, wanted: "no: [redacted]" },
  ])("$name=$value becomes $wanted", ({ name, value, wanted }) => {
    expect(redactField<string | number>(name, value)).toBe(wanted);
  });
});
