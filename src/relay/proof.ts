/**
 * Who may use a relay. Whoever may read pods can read its spec, so nothing in there may open it: the spec carries the
 * public half of a key pair that the supervisor made for this one pod and keeps in its memory alone. The client signs
 * the relay's nonce (and its own) with the private half. What listens in a pod of another's making learns nothing
 * that it could use elsewhere, and a recorded proof is worth nothing with another nonce.
 *
 * The relay has no secret that a reader of its spec could not have, so what it shows in turn is only that it is the
 * program of this very spec, and not something else that listens on that port; that the API server leads to the pod of
 * that UID is what makes it trustworthy.
 */
import { createHmac, createPublicKey, verify, type KeyObject } from "node:crypto";
import { proofText } from "../runtime/wire/relayframes.ts";

/** The public half of a session's key. */
export class SessionKey {
  readonly #der: Buffer;
  readonly #key: KeyObject;

  /** `text`: SPKI in DER, in base64. @throws when it is none. */
  constructor(text: string) {
    this.#der = Buffer.from(text, "base64");
    this.#key = createPublicKey({ key: this.#der, format: "der", type: "spki" });
  }

  /** Whether the client has the private half. */
  proves(signature: Buffer, relayNonce: Buffer, clientNonce: Buffer): boolean {
    return verify(null, proofText("client", relayNonce, clientNonce), this.#key, signature);
  }

  /** What a relay of this spec answers. */
  answer(relayNonce: Buffer, clientNonce: Buffer): Buffer {
    return createHmac("sha256", this.#der)
      .update(proofText("relay", relayNonce, clientNonce))
      .digest();
  }
}
