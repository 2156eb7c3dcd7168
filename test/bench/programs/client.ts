/** The client of all measurements, in a process of its own so that it shares no event loop with what measures. */
import { connections, firstBytes } from "./connecting.ts";
import { datagrams, firstDatagram } from "./datagrams.ts";
import { closings, lateAnswer } from "./ending.ts";
import { firstEcho } from "./firstecho.ts";
import { neighbours } from "./neighbours.ts";
import { steady } from "./steady.ts";
import { type Order, type Outcome } from "./tasks.ts";
import { download, upload } from "./transfers.ts";

process.on("message", (order: Order) => {
  const reply = (outcome: Omit<Outcome, "id">): void => void process.send?.({ id: order.id, ...outcome });
  perform(order).then(
    (answer) => reply({ answer }),
    (error: unknown) => reply({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.once("disconnect", () => process.exit());

function perform(order: Order): Promise<unknown> {
  switch (order.task) {
    case "firstEcho":
      return firstEcho(order.ask);
    case "firstBytes":
      return firstBytes(order.ask);
    case "connections":
      return connections(order.ask);
    case "steady":
      return steady(order.ask);
    case "neighbours":
      return neighbours(order.ask);
    case "download":
      return download(order.ask);
    case "upload":
      return upload(order.ask);
    case "datagrams":
      return datagrams(order.ask);
    case "firstDatagram":
      return firstDatagram(order.ask);
    case "closings":
      return closings(order.ask);
    case "lateAnswer":
      return lateAnswer(order.ask);
  }
}
