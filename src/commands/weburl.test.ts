import fc from "fast-check";
import { expect, test } from "vitest";
import { webUrl, whyNoBrowser } from "./weburl.ts";

test.each([
  ["http://localhost:8080/docs?a=1&b=2#top", "http://localhost:8080/docs?a=1&b=2#top"],
  ["HTTPS://LocalHost", "https://localhost/"],
  [" http://localhost:1/a b ", "http://localhost:1/a%20b"],
  ["http://localhost/$(calc)`id`", "http://localhost/%24(calc)%60id%60"],
  ["http://localhost/\"'\u201c;rm -rf", "http://localhost/%22'%E2%80%9C;rm%20-rf"],
  ["http://localhost/\n--flag", "http://localhost/--flag"],
  ["http://user:p$w@localhost/?q=$x#$y", "http://user:p%24w@localhost/?q=%24x#%24y"],
])("%j may be opened", (text, url) => {
  expect(webUrl(text)).toBe(url);
});

test.each([
  "",
  "localhost:8080",
  "postgres://app@127.0.0.1/orders",
  "file:///etc/passwd",
  "javascript:alert(1)",
])("%j may not", (text) => {
  expect(webUrl(text)).toBeUndefined();
});

test("whatever comes out is one word that begins with http and that no shell or PowerShell takes apart", () => {
  const odd = fc.constantFrom(...Array.from("$`\"'();|&<>{}\\^%#?@: \n\t"));
  const any = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  const text = fc.string({ unit: fc.oneof(odd, any) });
  fc.assert(
    fc.property(text, text, (path, host) => {
      for (const url of [webUrl(`http://${host}/${path}`), webUrl(path)]) {
        if (url !== undefined) expect(url).toMatch(/^https?:\/\/[!#%&'()*+,./0-9:;=?@A-Z[\]_a-z{|}~^\\-]+$/);
      }
    }),
    { numRuns: 300 },
  );
});

test.each<[string, Record<string, string>, string | undefined]>([
  ["linux", { DISPLAY: ":0" }, undefined],
  ["linux", { WAYLAND_DISPLAY: "wayland-0" }, undefined],
  ["linux", { WSL_DISTRO_NAME: "Debian" }, undefined],
  ["linux", {}, "there is no display"],
  ["darwin", {}, undefined],
  ["win32", {}, undefined],
  ["darwin", { CI: "true" }, "this is a CI job"],
  ["darwin", { SSH_CONNECTION: "1 2 3 4" }, "this is a session over ssh"],
  ["linux", { DISPLAY: ":0", SSH_TTY: "/dev/pts/1" }, "this is a session over ssh"],
  ["linux", { SSH_TTY: "/dev/pts/1", BROWSER: "/opt/code/browser.sh" }, undefined],
  ["linux", { DISPLAY: ":0", BROWSER: "none" }, "BROWSER is none"],
])("on %s with %j: %s", (platform, env, why) => {
  expect(whyNoBrowser({ env, platform })).toBe(why);
});
