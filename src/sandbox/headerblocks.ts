/** Reads compressed SPDY header blocks: one zlib stream a connection, with or without the protocol's dictionary. */
import { constants, inflateRawSync } from "node:zlib";
import { KfwdError } from "../errors.ts";
import { decodeHeaders } from "../runtime/wire/spdy.ts";

/** Words of the SPDY/3 dictionary; each stands in it behind its length. */
const WORDS = `options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges
age allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma
proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade
user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie
keep-alive origin`;

/** What follows the words, without lengths. */
const TAIL =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505" +
  "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized" +
  "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable" +
  "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT" +
  "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain," +
  "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** The dictionary of SPDY/3 header compression, 1423 bytes. Source: SPDY protocol, draft 3.1, section 2.6.10.1. */
export const SPDY_DICTIONARY: Buffer = Buffer.concat([
  ...WORDS.split(/\s+/).flatMap((word) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(word.length);
    return [length, Buffer.from(word.replace("_", " "), "latin1")];
  }),
  Buffer.from(TAIL, "latin1"),
]);

/** How far back a compressed block may point, in bytes. */
const WINDOW_BYTES = 32 * 1024;

/** Longest block after inflation, in bytes. */
const BLOCK_MAX_BYTES = 64 * 1024;

const FLAG_DICTIONARY = 0x20;

/**
 * Reads the blocks of one connection, in order. Each ends at a byte because it was flushed, so it is inflated alone
 * with what came before it as its dictionary; node:zlib could otherwise only do it asynchronously.
 */
export class HeaderBlockDecoder {
  /** What was inflated so far, as far as a block may point back; undefined before the first block. */
  #window: Buffer | undefined;

  /** @throws KfwdError `PROTOCOL` for a block that cannot be inflated or is cut short. */
  decode(block: Buffer): Map<string, string> {
    const { window, deflated } =
      this.#window === undefined ? start(block) : { window: this.#window, deflated: block };
    let inflated: Buffer;
    try {
      inflated = inflateRawSync(deflated, {
        ...(window.length === 0 ? {} : { dictionary: window }),
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: BLOCK_MAX_BYTES,
      });
    } catch (error) {
      throw new KfwdError("PROTOCOL", "cannot inflate a SPDY header block", { cause: error });
    }
    this.#window = Buffer.concat([window, inflated]).subarray(-WINDOW_BYTES);
    return decodeHeaders(inflated);
  }
}

/** Takes the zlib header off the first block; with the flag set, four bytes that name the dictionary follow it. */
function start(block: Buffer): { readonly window: Buffer; readonly deflated: Buffer } {
  const flags = block[1] ?? 0;
  if (((block[0] ?? 0) & 0x0f) !== 8)
    throw new KfwdError("PROTOCOL", "SPDY headers are not compressed by zlib");
  if ((flags & FLAG_DICTIONARY) === 0) return { window: Buffer.alloc(0), deflated: block.subarray(2) };
  return { window: SPDY_DICTIONARY, deflated: block.subarray(6) };
}
