import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { projectIn, recordOf, tempFolder, uid } from "../../../test/fakes/lockfolder.ts";
import { encodeLock } from "../wire/lockrecord.ts";
import { portHolder } from "./portholder.ts";

test.each<{ name: string; pid: number; port: number; protocol?: "tcp" | "udp"; wanted: string | undefined }>([
  { name: "its forward", pid: 77, port: 8080, wanted: 'kfwd project "shop" (forward "api", pid 77)' },
  { name: "itself, on a port it does not tell of", pid: 77, port: 9, wanted: 'kfwd project "shop" (pid 77)' },
  {
    name: "itself, where its forward is TCP",
    pid: 77,
    port: 8080,
    protocol: "udp",
    wanted: 'kfwd project "shop" (pid 77)',
  },
  { name: "nobody, when it is another process", pid: 78, port: 8080, wanted: undefined },
])("a supervisor's pid and a port name $name", async ({ pid, port, protocol = "tcp", wanted }) => {
  const runtime = tempFolder();
  mkdirSync(projectIn(runtime, "aaaaaaaaaaaaaaaa").folder); // one that does not run
  mkdirSync(projectIn(runtime).folder);
  writeFileSync(projectIn(runtime).lock, encodeLock(recordOf({ pid: 77 })));
  expect(await portHolder(runtime, uid)(pid, port, protocol)).toEqual(
    wanted && { name: wanted, remedy: "`kfwd down -p shop`" },
  );
});
