/** A certificate authority and a server certificate for one sandbox. */

/** PEM texts. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes both, valid for 30 days on this machine's loopback addresses. EC P-256: RSA keys would take a second. */
export async function makeCertificates(): Promise<Certificates> {
  const { generate } = await import("selfsigned"); // 60 ms that only a sandbox has to pay
  const valid = {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.now() - DAY_MS), // clocks of clients may be behind
    notAfterDate: new Date(Date.now() + 30 * DAY_MS),
  } as const;
  const ca = await generate([{ name: "commonName", value: "kfwd sandbox CA" }], {
    ...valid,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: "kfwd sandbox" }], {
    ...valid,
    ca: { key: ca.private, cert: ca.cert },
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return { ca: ca.cert, cert: server.cert, key: server.private };
}
