/** What is started detached: reports as told, tells what it was given, and stays until it is killed. */
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { KfwdError } from "../../src/errors.ts";
import { reportToParent } from "../../src/runtime/daemon/startreport.ts";

const [manner = "", folder = ""] = process.argv.slice(2);

function descriptors(): Record<string, string> {
  const all: Record<string, string> = {};
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      all[fd] = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // that of the listing
    }
  }
  return all;
}

switch (manner) {
  case "owned": {
    setInterval(() => {}, 60_000);
    const given = { env: process.env, cwd: process.cwd(), fds: descriptors(), execArgv: process.execArgv };
    writeFileSync(`${folder}/given.json`, JSON.stringify(given));
    console.log("a line on standard output");
    await reportToParent(process, { type: "owned", pid: process.pid });
    await reportToParent(process, { type: "taken" }); // is not sent: the first counts
    writeFileSync(`${folder}/reported`, "");
    break;
  }
  case "taken":
    await reportToParent(process, { type: "taken" });
    break;
  case "failed":
    await reportToParent(process, {
      type: "failed",
      error: new KfwdError("PORT_BUSY", "port 5432 is in use", { hint: "stop it" }).toRecord(),
    });
    break;
  case "nonsense":
    writeFileSync(`${folder}/pid`, String(process.pid));
    process.send?.({ type: "sneezed" });
    setInterval(() => {}, 60_000);
    break;
  case "dies":
    for (let i = 1; i <= 30; i++) console.error(`line ${i}`);
    throw new Error("boom");
  case "silent":
    writeFileSync(`${folder}/pid`, String(process.pid));
    setInterval(() => {}, 60_000);
    break;
  default:
    throw new Error(manner);
}
