import type { Socket } from "node:net";

/** Programs by port; what each does stands in app.mjs. */
export const apps: Readonly<
  Record<number, (socket: Socket, pod: { readonly name: string; readonly namespace: string }) => void>
>;
