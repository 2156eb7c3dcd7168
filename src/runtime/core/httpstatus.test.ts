import { describe, expect, test } from "vitest";
import { readHttpStatus } from "./httpstatus.ts";

describe("the status of an answer", () => {
  test.each([
    ["HTTP/1.1 200 OK\r\n", 200],
    ["HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nbusy", 503],
    ["HTTP/1.1 204\r\n", 204],
    ["HTTP/1.1 404 Not Found\n", 404],
    ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 200],
    ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 302 Found\r\n", 302],
    ["HTTP/1.1 101 Switching Protocols\r\n", 101],
  ])("%j", (text, status) => expect(readHttpStatus(text)).toEqual({ kind: "status", status }));

  test.each(["", "H", "HTTP/1.", "HTTP/1.1 20", "HTTP/1.1 200 OK", "HTTP/1.1 100 Continue\r\n"])(
    "%j needs more",
    (text) => expect(readHttpStatus(text)).toEqual({ kind: "more" }),
  );

  test.each([
    "220 smtp ready\r\n",
    "HTTP/2 200\r\n",
    "\x16\x03\x01",
    "HTTP/1.1 abc\r\n",
    "HTTP/1.1 999 x\r\n",
  ])("%j is not HTTP", (text) => expect(readHttpStatus(text)).toEqual({ kind: "other" }));

  test("an endless head is given up", () => {
    expect(readHttpStatus(`HTTP/1.1 ${"x".repeat(20_000)}`)).toEqual({ kind: "other" });
    expect(readHttpStatus(`HTTP/1.1 100 Continue\r\n${"x".repeat(20_000)}`)).toEqual({ kind: "other" });
  });
});
