import { expect, test } from "vitest";
import { isObeyed } from "./obeyed.ts";

const OBEYED =
  "PATH LD_PRELOAD DYLD_INSERT_LIBRARIES BASH_ENV ENV PROMPT_COMMAND PS4 PAGER NODE_OPTIONS PYTHONSTARTUP PERL5OPT " +
  "RUBYOPT JAVA_TOOL_OPTIONS _JAVA_OPTIONS GIT_SSH_COMMAND HTTPS_PROXY KUBECONFIG KFWD_TRUST MAVEN_OPTS GOFLAGS";

test.each(OBEYED.split(" "))("programs obey %s", (name) => {
  expect(isObeyed(name)).toBe(true);
});

test.each([
  "API_PORT",
  "DATABASE_URL",
  "PGHOST",
  "PGPORT",
  "REDIS_URL",
  "PATHS_HOST",
  "AWS_ENDPOINT_URL",
  "HOST",
])("%s is for who looks for it", (name) => {
  expect(isObeyed(name)).toBe(false);
});
