/**
 * Names are looked up as the system does it, but none leads to where machines keep their credentials: whoever means to
 * go there names the address itself, and the supervisor has been told that this may be.
 */
import { lookup, type LookupAddress, type LookupOptions } from "node:dns";
import { isIP } from "node:net";
import { isMetadataAddress } from "../linklocal.ts";

/** What a lookup fails with, besides the errors of the system. */
export const REFUSED_ADDRESS = "LINK_LOCAL";

type Found = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** In the shape of dns.lookup, as sockets want it. */
export function guardedLookup(
  host: string,
  options: LookupOptions,
  found: Found,
  resolve: (host: string, options: LookupOptions, found: Found) => void = lookup,
): void {
  resolve(host, options, (error, address, family) => {
    if (error) {
      found(error, address, family);
      return;
    }
    const all = typeof address === "string" ? [address] : address.map((one) => one.address);
    if (isIP(host) !== 0 || !all.some(isMetadataAddress)) found(null, address, family);
    else found(Object.assign(new Error(`${host} is link-local`), { code: REFUSED_ADDRESS }), "", 0);
  });
}
