/** Inside a pod, by `node -e`: datagrams to the pod's own echo, which is as near as anything can be. */
import { datagrams } from "./datagrams.ts";

datagrams(JSON.parse(process.argv[1] ?? "") as Parameters<typeof datagrams>[0]).then(
  (answer) => process.stdout.write(JSON.stringify(answer)),
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
