import { describe, expect, test } from "vitest";
import { KfwdError } from "../../errors.ts";
import {
  ApiRefusal,
  answerFailure,
  deadlineFailure,
  dialFailure,
  malformedAnswer,
  reasonOf,
  statusFailure,
} from "./failures.ts";

const ACCESS = {
  context: "kt",
  user: "ann",
  server: new URL("https://10.0.0.1:6443/prefix"),
  loginHint: "aws sso login",
};
const LIST = { verb: "list", resource: "pods", namespace: "shop" };

function coded(code: string, more: object = {}): Error {
  return Object.assign(new Error("text of a library"), { code, ...more });
}

describe("dialFailure", () => {
  const reach = 'cannot reach https://10.0.0.1:6443 (context "kt"): ';

  test.each([
    { code: "ECONNREFUSED", what: "connection refused" },
    { code: "ECONNRESET", what: "the connection was reset" },
    { code: "ETIMEDOUT", what: "the connection timed out" },
    { code: "EHOSTUNREACH", what: "no route to the host" },
    { code: "ENETUNREACH", what: "no route to the network" },
    { code: "ENOTFOUND", what: 'no address is known for "10.0.0.1"' },
    { code: "EAI_AGAIN", what: "the name server does not answer" },
    { code: "EWHATEVER", what: "the connection failed (EWHATEVER)" },
    { code: "CERT_HAS_EXPIRED", what: "its certificate has expired" },
    { code: "CERT_NOT_YET_VALID", what: "its certificate is not valid yet" },
    {
      code: "SELF_SIGNED_CERT_IN_CHAIN",
      what: "its certificate is signed by an authority that the kubeconfig does not trust",
    },
    {
      code: "DEPTH_ZERO_SELF_SIGNED_CERT",
      what: "its certificate is signed by an authority that the kubeconfig does not trust",
    },
    {
      code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      what: "its certificate is signed by an authority that the kubeconfig does not trust",
    },
    { code: "EPROTO", what: "the TLS handshake failed (EPROTO)" },
    { code: "ERR_SSL_WRONG_VERSION_NUMBER", what: "the TLS handshake failed (ERR_SSL_WRONG_VERSION_NUMBER)" },
  ])("$code: $what", ({ code, what }) => {
    const error = dialFailure(ACCESS, coded(code));
    expect(error).toMatchObject({ code: "UNREACHABLE", message: reach + what, exit: 4 });
    expect(`${error.message} ${error.hint}`).not.toMatch(/library|insecure|skip|disable/);
    expect(reasonOf(error)).toMatchObject({ code: "Unreachable", kind: "unreachable" });
  });

  test.each([
    { code: "EMFILE", what: "this process has no file descriptor left" },
    { code: "ENFILE", what: "this machine has no file descriptor left" },
  ])("$code is nothing that the network did", ({ code, what }) => {
    expect(reasonOf(dialFailure(ACCESS, coded(code)))).toEqual({
      code: "TooManyFiles",
      kind: "transient",
      message: reach + what,
      hint: "raise the limit on open files (`ulimit -n`), then `kfwd down` and `kfwd up`",
    });
  });

  test("a certificate for another host names its hosts", () => {
    const cert = { subjectaltname: "DNS:kubernetes, DNS:kubernetes.default, IP Address:10.96.0.1, DNS:x" };
    expect(dialFailure(ACCESS, coded("ERR_TLS_CERT_ALTNAME_INVALID", { cert })).message).toBe(
      `${reach}its certificate is for "kubernetes", "kubernetes.default", "10.96.0.1" and others, not for "10.0.0.1"`,
    );
    const named = coded("ERR_TLS_CERT_ALTNAME_INVALID", { cert, host: "k8s.test" });
    expect(dialFailure(ACCESS, named).message).toMatch(/, not for "k8s.test"$/);
    expect(dialFailure(ACCESS, coded("ERR_TLS_CERT_ALTNAME_INVALID")).message).toContain("for another host");
  });

  test.each([
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
  ])("%s is about our certificate", (code) => {
    expect(dialFailure(ACCESS, coded(code))).toMatchObject({ code: "CREDENTIALS", hint: "aws sso login" });
  });

  test("a peer that speaks no HTTP breaks the rules", () => {
    expect(dialFailure(ACCESS, coded("HPE_INVALID_CONSTANT")).code).toBe("PROTOCOL");
  });

  test("an error of ours stays as it is, anything else is a failed connection", () => {
    const ours = new KfwdError("CREDENTIALS", "no");
    expect(dialFailure(ACCESS, ours)).toBe(ours);
    expect(dialFailure(ACCESS, new Error("x")).message).toBe(`${reach}the connection failed`);
    expect(dialFailure(ACCESS, "x").code).toBe("UNREACHABLE");
  });

  test("a deadline says what did not come", () => {
    expect(deadlineFailure(ACCESS, "no answer came", 10_000).message).toBe(
      `${reach}no answer came within 10 s`,
    );
  });

  test("a malformed answer is a break of protocol", () => {
    expect(reasonOf(malformedAnswer(ACCESS, "a line that is cut short"))).toMatchObject({
      code: "Protocol",
      kind: "protocol",
      message: 'https://10.0.0.1:6443 (context "kt") sent a line that is cut short',
    });
  });
});

describe("answerFailure", () => {
  const status = (message: string, more: object = {}): string =>
    JSON.stringify({ kind: "Status", message, ...more });
  const denied =
    'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "shop"';

  test.each([
    {
      name: "401",
      code: 401,
      body: status("Unauthorized"),
      is: {
        code: "UNAUTHORIZED",
        kind: "denied",
        message: 'the cluster refused the credentials of user "ann" (401, context "kt")',
        hint: "aws sso login",
      },
    },
    {
      name: "403 by RBAC names the user the cluster sees",
      code: 403,
      body: status(denied),
      is: {
        code: "FORBIDDEN",
        kind: "denied",
        message: 'user "system:anonymous" may not list pods in namespace "shop" (context "kt")',
        hint: "aws sso login",
      },
    },
    {
      name: "403 without a body names the user of the kubeconfig",
      code: 403,
      body: "",
      is: {
        code: "FORBIDDEN",
        kind: "denied",
        message: 'user "ann" may not list pods in namespace "shop" (context "kt")',
      },
    },
    {
      name: "403 by a policy keeps the policy's words",
      code: 403,
      body: status("violates policy x"),
      is: {
        code: "FORBIDDEN",
        kind: "denied",
        message:
          'the cluster does not let user "ann" list pods in namespace "shop" (context "kt"): violates policy x',
      },
    },
    {
      name: "404 of a path",
      code: 404,
      body: "404 page not found",
      is: {
        code: "CLUSTER_ANSWER",
        kind: "unreachable",
        message: 'https://10.0.0.1:6443 (context "kt") knows no pods (404)',
      },
    },
    {
      name: "410",
      code: 410,
      body: status("too old resource version"),
      is: {
        code: "CLUSTER_ANSWER",
        kind: "transient",
        message:
          'the API server answered 410 to "list pods" in namespace "shop" (context "kt"): too old resource version',
      },
    },
    {
      name: "429",
      code: 429,
      body: "Too many requests",
      is: {
        code: "CLUSTER_ANSWER",
        kind: "transient",
        message: 'the API server is too busy to list pods in namespace "shop" (429, context "kt")',
      },
    },
    {
      name: "503",
      code: 503,
      body: status("etcdserver: leader changed"),
      is: {
        code: "CLUSTER_ANSWER",
        kind: "transient",
        message:
          'the API server answered 503 to "list pods" in namespace "shop" (context "kt"): etcdserver: leader changed',
      },
    },
    {
      name: "302 of a login page",
      code: 302,
      body: "<html>",
      is: {
        code: "CLUSTER_ANSWER",
        kind: "unreachable",
        message: 'https://10.0.0.1:6443 (context "kt") answered 302 to "list pods", as no API server does',
        hint: "check `server` of this cluster in the kubeconfig",
      },
    },
  ])("$name", ({ code, body, is }) => {
    const refusal = answerFailure(ACCESS, code, body, LIST);
    expect(refusal).toBeInstanceOf(ApiRefusal);
    expect(refusal).toMatchObject({ ...is, status: code });
  });

  test("a user whom the cluster does not know, without a known way to log in", () => {
    const { hint } = answerFailure({ ...ACCESS, loginHint: undefined }, 403, status(denied), LIST);
    expect(hint).toBe('log in to your cluster again: it took user "ann" of the kubeconfig for nobody');
  });

  test("an https server that was asked without TLS", () => {
    const access = { ...ACCESS, server: new URL("http://10.0.0.1:6443") };
    const refusal = answerFailure(access, 400, "Client sent an HTTP request to an HTTPS server.\n", LIST);
    expect(refusal).toMatchObject({
      message: 'http://10.0.0.1:6443 (context "kt") answered 400 to "list pods", as no API server does',
      hint: "write https:// in `server` of this cluster in the kubeconfig",
    });
  });

  test("a refusal to upgrade in plain words may come from the node", () => {
    const call = { verb: "create", resource: "pods/portforward", namespace: "shop", name: "web-0" };
    expect(answerFailure(ACCESS, 400, "unable to upgrade", call)).toMatchObject({
      kind: "transient",
      message: 'the API server answered 400 to "create pods/portforward" in namespace "shop" (context "kt")',
    });
  });

  test("404 of a named object means that it is gone", () => {
    const call = { verb: "create", resource: "pods/portforward", namespace: "shop", name: "web-0" };
    const refusal = answerFailure(ACCESS, 404, status('pods "web-0" not found'), call);
    expect(reasonOf(refusal)).toEqual({
      code: "ClusterAnswer",
      kind: "gone",
      message: 'pod "web-0" not found in namespace "shop" (context "kt")',
    });
  });

  test.each([
    { name: "header", body: "", header: "3", ms: 3000 },
    {
      name: "details",
      body: status("busy", { details: { retryAfterSeconds: 2 } }),
      header: undefined,
      ms: 2000,
    },
    { name: "neither", body: status("busy", { details: null }), header: undefined, ms: undefined },
    {
      name: "a date, which no API server sends",
      body: "",
      header: "Wed, 21 Oct 2026 07:28:00 GMT",
      ms: undefined,
    },
  ])("Retry-After by $name", ({ body, header, ms }) => {
    expect(answerFailure(ACCESS, 429, body, LIST, header).retryAfterMs).toBe(ms);
  });

  test("a Status inside a watch brings its own code", () => {
    expect(statusFailure(ACCESS, 200, { code: 410, reason: "Expired" }, LIST).status).toBe(410);
    expect(statusFailure(ACCESS, 200, "garbage", LIST).status).toBe(500);
  });

  test("long texts are cut", () => {
    expect(answerFailure(ACCESS, 500, status("x".repeat(5000)), LIST).message.length).toBeLessThan(500);
  });
});

describe("reasonOf", () => {
  test("makes a code for scripts of the table's code", () => {
    expect(reasonOf(new KfwdError("KUBECONFIG_INVALID", "no"))).toEqual({
      code: "KubeconfigInvalid",
      kind: "denied",
      message: "no",
      hint: "correct it, or get the kubeconfig of your cluster anew",
    });
  });

  test("keeps an unforeseen error in view without ending anything", () => {
    expect(reasonOf(new TypeError("x is not a function"))).toMatchObject({
      code: "Internal",
      kind: "transient",
    });
  });
});
