/** Folders and kubeconfig files as `kfwd doctor` looks at them: whether they are there, whose they are, who else may. */
import { accessSync, constants, type Stats } from "node:fs";
import { dirname } from "node:path";
import { fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { statIfThere } from "../../readfile.ts";
import { shellWord } from "../../shellword.ts";
import { troubleFinding, type Finding } from "../checkup.ts";
import { findRuntimeFolder, type PlaceFacts } from "../daemon/place.ts";
import { logPath } from "../daemon/projectfiles.ts";
import { kubeconfigPaths } from "./kubefacts.ts";
import { trustFolder } from "./trust.ts";

/** The folders that kfwd writes to; one that is not there yet is made when it is needed. */
export function checkFolders(facts: PlaceFacts): readonly Finding[] {
  return [
    runtimeFolder(facts),
    ownFolder(dirname(dirname(logPath(facts, "0"))), "logs", facts),
    ownFolder(trustFolder(facts), "trust", facts),
  ];
}

function runtimeFolder(facts: PlaceFacts): Finding {
  try {
    const path = findRuntimeFolder(facts);
    return { id: "folder", about: "runtime", state: "good", says: describe(path, statIfThere(path)) };
  } catch (thrown) {
    return troubleFinding("folder", "runtime", KfwdError.from(thrown));
  }
}

function ownFolder(path: string, about: string, { uid }: PlaceFacts): Finding {
  const finding = (state: Finding["state"], says: string): Finding => ({ id: "folder", about, state, says });
  try {
    const stat = statIfThere(path);
    const says = describe(path, stat);
    if (stat === undefined) return finding("good", says);
    if (!stat.isDirectory()) return { ...finding("bad", `${path} is no folder`), exit: 5 };
    if (uid !== undefined && stat.uid !== uid) {
      const hint = `was kfwd run with sudo? sudo rm -r ${shellWord(path)}`;
      return { ...finding("bad", `${says}, owned by uid ${stat.uid}`), hint, exit: 5 };
    }
    if (uid === undefined || (stat.mode & 0o022) === 0) return finding("good", says);
    return { ...finding("warn", `${says}: others can write to it`), hint: `chmod 700 ${shellWord(path)}` };
  } catch (thrown) {
    return { ...finding("bad", `cannot look at ${path}: ${fileTrouble(thrown)}`), exit: 5 };
  }
}

/** `named`: the file of `--kubeconfig` or forwards.yaml; undefined: `$KUBECONFIG`, else the user's own. */
export function checkKubeconfigFiles(named: string | undefined, facts: PlaceFacts): readonly Finding[] {
  return kubeconfigPaths(named, facts.env, facts.home).map((path) => kubeconfigFile(path, facts));
}

function kubeconfigFile(path: string, { uid }: PlaceFacts): Finding {
  const finding = (state: Finding["state"], says: string): Finding => ({ id: "kubeconfig", state, says });
  try {
    const stat = statIfThere(path);
    if (stat === undefined) return finding("unknown", `${path} does not exist`);
    accessSync(path, constants.R_OK);
    const says = describe(path, stat);
    if (uid === undefined || (stat.mode & 0o077) === 0) return finding("good", says);
    return { ...finding("warn", `${says}: others may read it`), hint: `chmod 600 ${shellWord(path)}` };
  } catch (thrown) {
    return { ...finding("bad", `${path} cannot be read: ${fileTrouble(thrown)}`), exit: 4 };
  }
}

function describe(path: string, stat: Stats | undefined): string {
  if (stat === undefined) return `${path} (not there yet)`;
  return `${path} (mode ${(stat.mode & 0o777).toString(8).padStart(4, "0")})`;
}
