import type { IncomingMessage } from "node:http";

/** No client sends more to a sandbox. */
const BODY_MAX_BYTES = 64 * 1024;

/** The body as JSON; undefined when there is none, or it is too long, broken off or not JSON. */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) return undefined;
      length += chunk.length;
      if (length > BODY_MAX_BYTES) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
