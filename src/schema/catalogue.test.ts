import { expect, test } from "vitest";
import { parseFiles, shownAll } from "../../test/fakes/projectfiles.ts";
import { chooseNames } from "../commands/plan.ts";
import { findConfig } from "../runtime/files/configfile.ts";

/** Every mistake in files that users meet most, as they see it. Each has a title, a place, a frame and what to do. */
const MISTAKES: readonly (readonly [what: string, files: Readonly<Record<string, string>>, shown: string])[] =
  [
    [
      "a tab in the indentation",
      { "forwards.yaml": "forwards:\n\tdb: x\n" },
      `error: invalid YAML: tabs are not allowed as indentation
  forwards.yaml:2:1
   1 | forwards:
 > 2 | →db: x
     | ^
hint: indent with spaces`,
    ],
    [
      "an unknown key",
      { "forwards.yaml": "forwards:\n  db:\n    target: svc/db\n    port: 5432\n    prot: udp\n" },
      `error: unknown key "prot" in forward "db"
  forwards.yaml:5:5
   4 |     port: 5432
 > 5 |     prot: udp
     |     ^^^^
hint: did you mean "port" or "protocol"?`,
    ],
    [
      "a word of compose",
      { "forwards.yaml": "services:\n  db: 1\n" },
      `error: unknown key "services"
  forwards.yaml:1:1
 > 1 | services:
     | ^^^^^^^^
hint: the key is "forwards"`,
    ],
    [
      "a value out of bounds",
      { "forwards.yaml": "forwards:\n  db: { target: db, port: 80, local: 99999 }\n" },
      `error: forward "db": local must be 1-65535 or "auto", got 99999
  forwards.yaml:2:38
   1 | forwards:
 > 2 |   db: { target: db, port: 80, local: 99999 }
     |                                      ^^^^^`,
    ],
    [
      "a bad compact form, in a file that is laid over",
      {
        "forwards.yaml": 'forwards: { a: "8080:svc/a:80" }\n',
        "override.yaml": 'forwards:\n  api: "8080:api"\n',
      },
      `error: forward "api": cannot read "8080:api": expected [bind:]local:kind/name:port[/proto]
  override.yaml:2:14
   1 | forwards:
 > 2 |   api: "8080:api"
     |              ^^^
hint: as in "8080:svc/api:http"`,
    ],
    [
      "a variable that is not set, in an included file",
      { "forwards.yaml": "include: f.yaml\n", "f.yaml": "forwards:\n  db: { target: db, port: $DB_PORT }\n" },
      `error: variable DB_PORT is not set (used in forward "db")
  f.yaml:2:27
   1 | forwards:
 > 2 |   db: { target: db, port: $DB_PORT }
     |                           ^^^^^^^^
hint: set it, or write "\${DB_PORT:-default}"`,
    ],
    [
      "two includes with one name",
      {
        "forwards.yaml": "include: [a.yaml, b.yaml]\n",
        "a.yaml": 'forwards:\n  db: "1111:svc/a:1"\n',
        "b.yaml": 'forwards:\n  db: "2222:svc/b:1"\n',
      },
      `error: "db" is defined in a.yaml:2 and b.yaml:2
  a.yaml:2:3
   1 | forwards:
 > 2 |   db: "1111:svc/a:1"
     |   ^^
  b.yaml:2:3: and here
   1 | forwards:
 > 2 |   db: "2222:svc/b:1"
     |   ^^
hint: include one of them with a prefix: { path: …, prefix: other- }`,
    ],
    [
      "a local port twice",
      { "forwards.yaml": 'forwards:\n  api: "8080:svc/api:80"\n  web: "8080:svc/web:80"\n' },
      `error: "api" and "web" both use localhost:8080/tcp
  forwards.yaml:3:9
   2 |   api: "8080:svc/api:80"
 > 3 |   web: "8080:svc/web:80"
     |         ^^^^
  forwards.yaml:2:9: "api" is here
   1 | forwards:
 > 2 |   api: "8080:svc/api:80"
     |         ^^^^
hint: use another port, or "local: auto"`,
    ],
    [
      "a port outside its range",
      {
        "forwards.yaml":
          "ranges: { databases: 5432-5439 }\nforwards:\n  db: { target: db, port: 3306, range: databases }\n",
      },
      `error: "db" uses 3306, range databases is 5432-5439
  forwards.yaml:3:27
   2 | forwards:
 > 3 |   db: { target: db, port: 3306, range: databases }
     |                           ^^^^
  forwards.yaml:1:11: databases is here
 > 1 | ranges: { databases: 5432-5439 }
     |           ^^^^^^^^^
hint: free: 5432, 5433, 5434`,
    ],
  ];

test.each(MISTAKES)("%s", (_, files, shown) => {
  expect(shownAll(parseFiles(files))[0]).toBe(shown);
});

test("no file anywhere", () => {
  expect(() => findConfig({ cwd: "/nowhere/at/all", home: "/nowhere" }, undefined)).toThrow(
    expect.objectContaining({
      code: "CONFIG_NOT_FOUND",
      message: "no forwards.yaml in /nowhere/at/all or its parents",
      hint: expect.stringContaining("-f PATH") as string,
    }) as Error,
  );
});

test("an unknown name on the command line; a name stands for all its ports", () => {
  const known = ["api", "kafka:kafka", "kafka:registry"];
  expect(() => chooseNames(["apii"], known)).toThrow(
    expect.objectContaining({
      code: "UNKNOWN_FORWARD",
      message: 'no forward named "apii"',
      hint: 'did you mean "api"? known: api, kafka:kafka, kafka:registry',
    }) as Error,
  );
  expect(chooseNames(["kafka", "kafka:registry"], known)).toEqual(["kafka:kafka", "kafka:registry"]);
});

test("names come in the order of the file, whatever was named first; a glob stands for what it matches", () => {
  const known = ["api", "db", "db-replica", "dns", "kafka:registry"];
  expect(chooseNames([], known)).toBe(known);
  expect(chooseNames(["dns", "api"], known)).toEqual(["api", "dns"]);
  expect(chooseNames(["db*", "db"], known)).toEqual(["db", "db-replica"]);
  expect(chooseNames(["d??", "*:registry"], known)).toEqual(["dns", "kafka:registry"]);
  expect(chooseNames(["*"], known)).toEqual(known);
  expect(() => chooseNames(["api", "web*"], known)).toThrow(
    expect.objectContaining({
      code: "UNKNOWN_FORWARD",
      message: 'no forward that matches "web*"',
      hint: "known: api, db, db-replica, dns, kafka:registry",
    }) as Error,
  );
});
