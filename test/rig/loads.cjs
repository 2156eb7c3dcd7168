// Put in front of a command by NODE_OPTIONS: writes which bundles of dist/ it has loaded, one a line.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

const load = Module._load;
Module._load = function record(request, parent, isMain) {
  const name = path.basename(request);
  if (name.endsWith(".cjs") && name !== "loads.cjs")
    fs.appendFileSync(process.env.KFWD_TEST_LOADS, `${name}\n`);
  return load.call(this, request, parent, isMain);
};
