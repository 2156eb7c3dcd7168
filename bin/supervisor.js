// What `kfwd up -d` starts: the supervisor as a process of its own.
"use strict";

require("./load.js")("supervisor").main();
