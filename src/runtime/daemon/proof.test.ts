import { describe, expect, test } from "vitest";
import { isProof, newChallenge, newInstance, prove } from "./proof.ts";

const instance = "000102030405060708090a0b0c0d0e0f";

describe("a proof", () => {
  test("is what every version of kfwd computes", () => {
    expect(prove(instance, "client", "abc")).toBe(
      "fcbba9c75ee003ea6c523e433d6887ec8ecb9099a83c538bcf2715220af79cc5",
    );
    expect(prove(instance, "server", "abc")).toBe(
      "1f5661ca81edcb9fbe5b31749b35c31fd3b6958e99acdf3080f49f9e5cf6917d",
    );
  });

  test.each([
    { name: "another nonce", proof: prove(newInstance(), "client", "abc") },
    { name: "the other side", proof: prove(instance, "server", "abc") },
    { name: "another challenge", proof: prove(instance, "client", "abd") },
    { name: "nothing", proof: "" },
    { name: "too much", proof: `${prove(instance, "client", "abc")}0` },
  ])("of $name does not count", ({ proof }) => {
    expect(isProof(proof, instance, "client", "abc")).toBe(false);
    expect(isProof(prove(instance, "client", "abc"), instance, "client", "abc")).toBe(true);
  });

  test("is asked for anew each time", () => {
    expect(newInstance()).toMatch(/^[0-9a-f]{32}$/);
    expect(newInstance()).not.toBe(newInstance());
    expect(newChallenge()).not.toBe(newChallenge());
  });
});
