// Loads a bundle of dist/ with V8's compiled code from an earlier run. Node does this by itself from 22.1 on; on Node
// 20 a bundle costs 15 to 20 ms without it, which is a fifth of a whole `kfwd status`.
"use strict";

const crypto = require("node:crypto"); // which the bundles need anyhow; zlib's CRC would be 4 ms of loading more
const fs = require("node:fs");
const Module = require("node:module");
const os = require("node:os");
const path = require("node:path");
const vm = require("node:vm");

/** In front of the code: its checksum, because V8 runs damaged code without looking. */
const CHECKSUM_BYTES = 32;

/** Runs `dist/<name>.cjs`, and every bundle that it requires, and returns its exports. */
module.exports = function load(name) {
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return requireBundle(name);
  const folder = cacheFolder();
  if (folder === undefined) return requireBundle(name);
  // Left to itself Node would take a folder that all users of the machine can see.
  if (Module.enableCompileCache) Module.enableCompileCache(process.env.NODE_COMPILE_CACHE || folder);
  else cacheBundles(folder);
  return requireBundle(name);
};

function requireBundle(name) {
  return require(path.join(__dirname, "..", "dist", `${name}.cjs`));
}

function cacheBundles(folder) {
  const plain = Module._extensions[".cjs"] || Module._extensions[".js"];
  Module._extensions[".cjs"] = (module, filename) => {
    if (path.dirname(filename) !== path.join(__dirname, "..", "dist")) {
      plain(module, filename);
      return;
    }
    const source = fs.readFileSync(filename, "utf8");
    const cache = path.join(folder, cacheName(filename));
    const cachedData = readCache(cache);
    const script = new vm.Script(Module.wrap(source), { filename, cachedData });
    if (cachedData === undefined || script.cachedDataRejected) writeLater(cache, script);
    const run = script.runInThisContext();
    run.call(
      module.exports,
      module.exports,
      Module.createRequire(filename),
      module,
      filename,
      path.dirname(filename),
    );
  };
}

/** Others who could write there could run code as us: then there is no cache. */
function cacheFolder() {
  try {
    const home = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"); // throws where a user has none
    if (!path.isAbsolute(home)) return undefined;
    const folder = path.join(home, "kfwd");
    makeFolder(home);
    makeFolder(folder);
    const stat = fs.lstatSync(folder);
    const ours = !process.getuid || (stat.uid === process.getuid() && (stat.mode & 0o022) === 0);
    return stat.isDirectory() && ours ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Not by mkdir's `recursive`: in a file system that takes no folders, such as /proc, Node 20 tries for ever. */
function makeFolder(folder) {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch {
    // it is there, or the look at it will tell
  }
}

/** V8 itself compares only the length of the source. */
function cacheName(filename) {
  const { mtimeMs, size, ino } = fs.statSync(filename);
  return `${path.basename(filename)}-${process.version}-${process.arch}-${size}-${Math.round(mtimeMs)}-${ino}`;
}

function readCache(file) {
  try {
    const bytes = fs.readFileSync(file);
    const code = bytes.subarray(CHECKSUM_BYTES);
    return checksumOf(code).equals(bytes.subarray(0, CHECKSUM_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf(code) {
  return crypto.createHash("sha256").update(code).digest();
}

/** When most functions have run and are compiled: at the end, or after a while in a process that stays. */
function writeLater(file, script) {
  let written = false;
  const write = () => {
    if (written) return;
    written = true;
    const temporary = `${file}.${process.pid}`;
    try {
      const code = script.createCachedData();
      fs.writeFileSync(temporary, Buffer.concat([checksumOf(code), code]), { mode: 0o600, flag: "wx" });
      fs.renameSync(temporary, file);
      sweep(path.dirname(file), path.basename(file));
    } catch {
      fs.rmSync(temporary, { force: true }); // no room, or no permission: the next run tries again
    }
  };
  setTimeout(write, 3_000).unref();
  process.once("exit", write);
}

/** Earlier builds of the same bundle. */
function sweep(folder, kept) {
  const bundle = kept.slice(0, kept.indexOf(".cjs-") + 5);
  for (const name of fs.readdirSync(folder)) {
    if (name.startsWith(bundle) && name !== kept) fs.rmSync(path.join(folder, name), { force: true });
  }
}
