/** Reads the status of an HTTP/1 answer from its first bytes, and no more of it. */

/** What the bytes say so far. */
export type HttpStatus =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "more" }
  | { readonly kind: "other" };

/** Heads of answers are no longer than this, interim ones included. */
const HEAD_MAX_CHARS = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r?\n/;

/** `text` is all that came, as latin1. An interim answer (100, 103) is passed over. */
export function readHttpStatus(text: string): HttpStatus {
  let rest = text;
  for (;;) {
    const status = Number(STATUS_LINE.exec(rest)?.[1]);
    if (Number.isNaN(status)) return isBeginning(rest) ? { kind: "more" } : { kind: "other" };
    if (status < 100 || status > 599) return { kind: "other" };
    if (status >= 200 || status === 101) return { kind: "status", status };
    const end = /\r?\n\r?\n/.exec(rest);
    if (!end) return text.length < HEAD_MAX_CHARS ? { kind: "more" } : { kind: "other" };
    rest = rest.slice(end.index + end[0].length);
  }
}

/** Whether a status line may still come of it. */
function isBeginning(text: string): boolean {
  const head = "HTTP/1.";
  return text.length < head.length
    ? head.startsWith(text)
    : text.startsWith(head) && !text.includes("\n") && text.length < HEAD_MAX_CHARS;
}
