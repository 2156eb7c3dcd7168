import type { LookupAddress } from "node:dns";
import { expect, test } from "vitest";
import { guardedLookup } from "./lookup.ts";

function lookUp(answer: string | LookupAddress[] | Error, host = "db.example"): Promise<unknown> {
  return new Promise((resolve) => {
    guardedLookup(
      host,
      {},
      (error, address, family) => resolve(error ? error.code : [address, family]),
      (_host, _options, found) => {
        if (answer instanceof Error) found(answer, "", 0);
        else found(null, answer, 4);
      },
    );
  });
}

test("an address that anybody may go to is passed on as it is", async () => {
  expect(await lookUp("10.0.0.1")).toEqual(["10.0.0.1", 4]);
  const all = [{ address: "10.0.0.1", family: 4 }];
  expect(await lookUp(all)).toEqual([all, 4]);
});

test("a name for the metadata service of a cloud is not followed, not even as one address of several", async () => {
  expect(await lookUp("169.254.169.254")).toBe("LINK_LOCAL");
  const both = [
    { address: "10.0.0.1", family: 4 },
    { address: "fe80::1", family: 6 },
  ];
  expect(await lookUp(both)).toBe("LINK_LOCAL");
});

test("an address that was named is another matter", async () => {
  expect(await lookUp("169.254.169.254", "169.254.169.254")).toEqual(["169.254.169.254", 4]);
  expect(await lookUp("169.254.169.254", "0xa9fea9fe")).toBe("LINK_LOCAL"); // which only a resolver takes for one
});

test("an error of the system stays what it was", async () => {
  expect(await lookUp(Object.assign(new Error("no"), { code: "ENOTFOUND" }))).toBe("ENOTFOUND");
});
