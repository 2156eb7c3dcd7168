import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellWord } from "./shellword.ts";

test.each(["prod", "arn:aws:eks:eu-1:12:cluster/x", "/run/user/1000/kfwd", "user@host", "a=1,b%2"])(
  "%s stands as it is",
  (text) => {
    expect(shellWord(text)).toBe(text);
  },
);

test.each(["", "a b", "it's", '"$HOME"', "`id`;&|<>()", "-n\\", "*?[a]", "é\n~#!"])(
  "a shell takes %j for one word",
  (text) => {
    const said = execFileSync("/bin/sh", ["-c", `printf '<%s>' ${shellWord(text)} end`], {
      encoding: "utf8",
    });
    expect(said).toBe(`<${text}><end>`);
  },
);
