#!/usr/bin/env node
// Kept to syntax that any Node can read, so that an old one gets a sentence and not a stack trace. CommonJS, because
// it starts some milliseconds sooner than an ES module.
"use strict";

var version = process.versions.node.split(".").map(Number);
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write("error: kfwd needs Node 20.19 or later, this is " + process.versions.node + "\n");
  process.exit(2);
}

require("./load.js")("cli");
