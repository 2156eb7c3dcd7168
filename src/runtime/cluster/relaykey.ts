/** The key of one relay pod: its public half is in the pod's spec, the other one never leaves this process. */
import { createHmac, generateKeyPairSync, sign, timingSafeEqual, type KeyObject } from "node:crypto";
import { proofText } from "../wire/relayframes.ts";

/** @see src/relay/proof.ts for why it is made so. */
export class RelayKey {
  readonly #private: KeyObject;
  readonly #public: Buffer;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#private = privateKey;
    this.#public = publicKey.export({ format: "der", type: "spki" });
  }

  /** What the pod's spec carries: SPKI in DER, in base64. */
  get publicText(): string {
    return this.#public.toString("base64");
  }

  /** Shows that this process made the pod. */
  sign(relayNonce: Buffer, clientNonce: Buffer): Buffer {
    return sign(null, proofText("client", relayNonce, clientNonce), this.#private);
  }

  /** Whether what answers is the program of that spec. */
  accepts(proof: Buffer, relayNonce: Buffer, clientNonce: Buffer): boolean {
    const wanted = createHmac("sha256", this.#public)
      .update(proofText("relay", relayNonce, clientNonce))
      .digest();
    return proof.length === wanted.length && timingSafeEqual(proof, wanted);
  }
}
