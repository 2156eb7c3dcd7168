import { describe, expect, test } from "vitest";
import type { Finding } from "../../runtime/index.ts";
import { paintFor } from "./colour.ts";
import { doctorLines, reportBlock, veiled } from "./doctortext.ts";

const plain = paintFor(0);

const rights = (about: string): Finding => ({
  id: "rights",
  about,
  state: "good",
  says: "all that is needed",
});
const LATE: Finding = {
  id: "server",
  about: "dev",
  state: "bad",
  says: "no answer",
  detail: ["first", "second"],
  hint: "is the VPN up?",
  exit: 4,
};

test("a line a finding, with what is to be done under it; what is alike is said once", () => {
  expect(doctorLines([rights("api"), LATE, rights("db")], plain)).toEqual([
    "✔ rights  api, db: all that is needed",
    "✖ server  dev: no answer",
    "    first",
    "    second",
    "    hint: is the VPN up?",
  ]);
});

test("the block for a report is Markdown without hints", () => {
  expect(reportBlock([rights("api"), LATE], ["kfwd 1.0"])).toBe(
    "```\nkfwd 1.0\nok   rights: api: all that is needed\nBAD  server: dev: no answer\n     first\n     second\n```",
  );
});

describe("veiled", () => {
  const finding = (says: string): Finding => ({ id: "x", state: "good", says });
  const shown = (says: string, names?: Parameters<typeof veiled>[1]["names"]): string =>
    veiled(finding(says), { home: "/home/ann", names }).says;

  test.each([
    ["a token", "Authorization: Bearer abcdefghijklmnop", "Authorization: [redacted] [redacted]"],
    ["a password in a URL", "http://ann:hunter2@proxy.test:3128", "http://ann:[redacted]@proxy.test:3128"],
    ["the home folder", "/home/ann/.kube/config and /home/anna", "~/.kube/config and /home/anna"],
    ["what moves the cursor", "a\u001b[2Jb", "a\\u001b[2Jb"],
  ])("hides %s", (_, says, wanted) => {
    expect(shown(says)).toBe(wanted);
  });

  test("names are hidden as wholes, the longest first, and the same name the same way", () => {
    const names = {
      hosts: ["api.corp.test"],
      contexts: ["prod"],
      clusters: ["prod-eu"],
      users: ["ann"],
      namespaces: ["shop", "shop-2"],
    };
    expect(shown("https://api.corp.test:6443 prod prod-eu ann annex shop shop-2 shopping prod", names)).toBe(
      "https://[host 1]:6443 [context 1] [cluster 1] [user 1] annex [namespace 1] [namespace 2] shopping [context 1]",
    );
  });

  test("of a finding every text is hidden", () => {
    const all: Finding = { id: "x", about: "ann", state: "bad", says: "ann", detail: ["ann"], hint: "ann" };
    const names = { hosts: [], contexts: [], clusters: [], users: ["ann"], namespaces: [] };
    expect(JSON.stringify(veiled(all, { home: "/", names }))).not.toContain("ann");
  });
});
