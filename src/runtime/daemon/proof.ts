/** Shows that one knows a lock's nonce without telling it. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { proofText } from "../wire/control.ts";

/** A nonce for a new owner of a lock, 128 random bits in hex. */
export function newInstance(): string {
  return randomBytes(16).toString("hex");
}

/** What the other side has to sign. */
export function newChallenge(): string {
  return randomBytes(16).toString("hex");
}

/** `side`'s answer to a challenge: HMAC-SHA256 under the nonce, in hex. */
export function prove(instance: string, side: "client" | "server", challenge: string): string {
  return createHmac("sha256", instance).update(proofText(side, challenge)).digest("hex");
}

/** Whether `proof` is what `side` must answer, compared in constant time. */
export function isProof(
  proof: string,
  instance: string,
  side: "client" | "server",
  challenge: string,
): boolean {
  const wanted = Buffer.from(prove(instance, side, challenge));
  const given = Buffer.from(proof);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
