/** What the exit status of a command says. */

/** Statuses and their meaning, for `kfwd help exit-codes`. */
export const EXIT_STATUSES: readonly (readonly [statuses: string, meaning: string])[] = [
  ["0", "done; after `up` in the foreground: ended by a signal once it was running"],
  ["1", "a forward failed or was not ready in time, or the output could not be written"],
  ["2", "usage or configuration"],
  ["3", "nothing runs, all is stopped, or its supervisor cannot be reached"],
  ["4", "cluster access: kubeconfig, context, credentials, network, rights"],
  ["5", "a local port, the lock or the runtime folder is not to be had"],
  ["70", "a bug in kfwd"],
  [
    "125, 126, 127",
    "`run` did not start its command, could not execute it, or did not find it; else it has the command's own",
  ],
  ["130, 143", "a signal came before `up` was done, or ended `events`, `logs -f` or `status --watch`"],
];
