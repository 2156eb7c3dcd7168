/** Bundles the relay for Node 20 and later. */
export function relayProgram(): Promise<string>;
