import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { up } from "kfwd";

/** @type {import("kfwd").Forwards<"api" | "db">} */
let forwards;
before(async () => {
  forwards = await up({ names: ["api", "db"], waitTimeout: "2m" });
});
after(() => forwards?.$close());

test("the API answers", async () => {
  const answer = await fetch(forwards.api.url);
  assert.ok(answer.ok);
});

test("the database has a port", () => {
  assert.ok(forwards.db.isReady);
  assert.notEqual(forwards.db.port, forwards.api.port);
});
