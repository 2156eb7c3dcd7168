import { expect, test } from "vitest";
import { checkOptions } from "./options.ts";

test.each([
  [{}],
  [{ names: [], file: "a.yaml", env: undefined }],
  [{ file: ["a.yaml"], dotenv: [], local: false, trust: true, waitTimeout: 0 }],
  [{ variables: process.env, signal: new AbortController().signal, waitTimeout: "90s" }],
])("%j are options", (options) => {
  expect(() => checkOptions(options)).not.toThrow();
});

test.each([
  [null, "options must be an object, got nothing"],
  ["forwards.yaml", 'options must be an object, got "forwards.yaml"'],
  [["api"], "options must be an object, got a list"],
  [{ name: ["api"] }, 'unknown option "name"'],
  [{ names: "api" }, 'option names must be a list of texts, got "api"'],
  [{ names: ["api", 1] }, "option names must be a list of texts, got a list"],
  [{ file: 1 }, "option file must be text or a list of texts, got 1"],
  [{ env: { API: "x" } }, "option env must be text, got a map"],
  [{ trust: "yes" }, 'option trust must be true or false, got "yes"'],
  [{ signal: {} }, "option signal must be an AbortSignal, got a map"],
  [{ variables: null }, "option variables must be a map of variables, got nothing"],
  [{ constructor: 1 }, 'unknown option "constructor"'],
])("%j are none", (options, message) => {
  expect(() => checkOptions(options)).toThrow(message);
});
