import { expect, test } from "vitest";
import { resolvePath } from "./paths.ts";

const POSIX = { folder: "/repo/shop", home: "/home/ann" };
const WINDOWS = { folder: "C:\\repo\\shop", home: "C:\\Users\\Ann" };

test.each([
  ["relative", "k.yaml", POSIX, "/repo/shop/k.yaml"],
  ["to a parent", "../k.yaml", POSIX, "/repo/k.yaml"],
  ["with dots", "./a/./../k.yaml", POSIX, "/repo/shop/k.yaml"],
  ["above the root", "../../../../k.yaml", POSIX, "/k.yaml"],
  ["absolute", "/etc/kube/../k.yaml", POSIX, "/etc/k.yaml"],
  ["home", "~/.kube/config", POSIX, "/home/ann/.kube/config"],
  ["home alone", "~", POSIX, "/home/ann"],
  ["a backslash in a POSIX name", "a\\b", POSIX, "/repo/shop/a\\b"],
  ["relative on Windows", "..\\a/k.yaml", WINDOWS, "C:\\repo\\a\\k.yaml"],
  ["absolute on Windows", "D:/kube/k.yaml", WINDOWS, "D:\\kube\\k.yaml"],
  ["home on Windows", "~\\.kube\\config", WINDOWS, "C:\\Users\\Ann\\.kube\\config"],
  ["a share", "k.yaml", { folder: "\\\\nas\\team\\shop", home: undefined }, "\\\\nas\\team\\shop\\k.yaml"],
])("%s: %s", (_, path, base, expected) => {
  expect(resolvePath(path, base)).toBe(expected);
});

test.each([
  ["another user's home", "~bob/k.yaml", POSIX],
  ["a home that is not known", "~/k.yaml", { folder: "/repo", home: undefined }],
])("no path for %s", (_, path, base) => {
  expect(resolvePath(path, base)).toBeUndefined();
});
