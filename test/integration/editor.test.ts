import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LanguageServer } from "../rig/languageserver.ts";

const MODELINE = "# yaml-language-server: $schema=./node_modules/kfwd/schema/forwards.v1.json\n";

/** What an editor shows of a forwards.yaml whose first line names the schema of the installed package. */
describe("an editor", () => {
  let folder: string;
  let server: LanguageServer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kfwd-editor-"));
    await mkdir(join(folder, "node_modules"));
    await symlink(fileURLToPath(new URL("../..", import.meta.url)), join(folder, "node_modules", "kfwd"));
    server = await LanguageServer.start(folder);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** The lines that are underlined. */
  async function underlined(name: string, text: string): Promise<readonly number[]> {
    const squiggles = await server.squiggles(join(folder, name), MODELINE + text);
    return [...new Set(squiggles.map(({ line }) => line))];
  }

  const GOOD = `version: 1
name: shop
forwards:
  api: "8080:svc/api:http"
  db:
    target: sts/postgres
    port: 5432
    
`;

  test("underlines nothing in a file that is right, completes its keys and explains them", async () => {
    const path = join(folder, "good.yaml");
    expect(await underlined("good.yaml", GOOD)).toEqual([]);
    const keys = await server.completion(path, 9, 5);
    expect(keys).toEqual(expect.arrayContaining(["local", "bind", "protocol", "description"]));
    expect(keys).not.toContain("forwards");
    expect(await server.hover(path, 8, 6)).toContain("Port of the Service");
  });

  test.each([
    ["an unknown key", "forwards:\n  db:\n    target: svc/db\n    prot: udp\n", [5]],
    [
      "a wrong type and a port that is none",
      "name: shop\nversion: two\nforwards:\n  db:\n    target: svc/db\n    port: 99999\n",
      [3, 7],
    ],
    ["a compact form that is none", 'forwards:\n  good: "8080:svc/api:http"\n  bad: "8080-svc/api"\n', [4]],
  ])("underlines %s, at its line", async (what, text, lines) => {
    expect(await underlined(`${what.replaceAll(" ", "-")}.yaml`, text)).toEqual(lines);
  });
});
