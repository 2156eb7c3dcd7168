import { describe, expect, test } from "vitest";
import { Accounts, allows, type Rule } from "./accounts.ts";

const forwarder: Rule[] = [
  { verbs: ["get", "list", "watch"], resources: ["pods", "services"], namespaces: ["shop"] },
  { verbs: ["create"], resources: ["pods/portforward"], namespaces: ["shop"] },
];

describe("rules", () => {
  test.each([
    ["list pods in shop", { verb: "list", resource: "pods", namespace: "shop" }, true],
    ["list pods elsewhere", { verb: "list", resource: "pods", namespace: "bank" }, false],
    ["list pods of all namespaces", { verb: "list", resource: "pods", namespace: undefined }, false],
    ["delete pods", { verb: "delete", resource: "pods", namespace: "shop" }, false],
    ["forward", { verb: "create", resource: "pods", subresource: "portforward", namespace: "shop" }, true],
    [
      "forward by GET",
      { verb: "get", resource: "pods", subresource: "portforward", namespace: "shop" },
      false,
    ],
    ["create pods", { verb: "create", resource: "pods", namespace: "shop" }, false],
  ] as const)("%s", (_name, call, expected) => {
    expect(allows({ name: "dev", rules: forwarder }, { subresource: undefined, ...call })).toBe(expected);
  });

  test("a star allows everything, the cluster scope included", () => {
    const rules = [{ verbs: ["*"], resources: ["*"] }];
    const call = { verb: "watch", resource: "pods", subresource: undefined, namespace: undefined } as const;
    expect(allows({ name: "admin", rules }, call)).toBe(true);
  });
});

describe("tokens", () => {
  test("tell who it is; no token is anonymous and a wrong one nobody", () => {
    const accounts = new Accounts();
    accounts.set("dev", forwarder);
    expect(accounts.authenticate(`Bearer ${accounts.token("dev")}`)).toEqual({
      name: "dev",
      rules: forwarder,
    });
    expect(accounts.authenticate(undefined)).toEqual({ name: "system:anonymous", rules: [] });
    for (const wrong of ["Bearer nonsense", "Basic eDp5", "Bearer ", "Bearer"]) {
      expect(accounts.authenticate(wrong)).toBeUndefined();
    }
  });

  test("stay when rights change, and are worth nothing once renewed", () => {
    const accounts = new Accounts();
    accounts.set("dev", []);
    const old = accounts.token("dev");
    accounts.set("dev", forwarder);
    expect(accounts.authenticate(`Bearer ${old}`)?.rules).toEqual(forwarder);
    const renewed = accounts.renew("dev");
    expect(accounts.authenticate(`Bearer ${old}`)).toBeUndefined();
    expect(accounts.authenticate(`Bearer ${renewed}`)?.name).toBe("dev");
  });
});
