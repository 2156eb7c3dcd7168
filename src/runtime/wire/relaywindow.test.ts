import fc from "fast-check";
import { expect, test } from "vitest";
import {
  FIRST_WINDOW_BYTES,
  ReceiveWindow,
  SendWindow,
  WINDOW_MAX_BYTES,
  newWindowBudget,
} from "./relaywindow.ts";

test("the sender never has more than the receiver will take, and never stands still before one who reads", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 100 }), (wishes) => {
      const [send, receive] = [new SendWindow(), new ReceiveWindow(newWindowBudget())];
      for (const wish of wishes) {
        const bytes = Math.min(wish, send.left);
        expect(bytes).toBeGreaterThan(0);
        send.take(bytes);
        expect(receive.receive(bytes)).toBe(true);
        send.add(receive.consume(bytes));
        expect(send.left).toBeLessThanOrEqual(WINDOW_MAX_BYTES);
      }
    }),
  );
});

test("who sends more than its window is caught", () => {
  const receive = new ReceiveWindow(newWindowBudget());
  expect(receive.receive(FIRST_WINDOW_BYTES)).toBe(true);
  expect(receive.receive(1)).toBe(false);
});

test("a stream that is read gets a larger window, at the price of the budget, and gives it back", () => {
  const budget = newWindowBudget();
  const before = budget.leftBytes;
  const receive = new ReceiveWindow(budget);
  receive.receive(FIRST_WINDOW_BYTES);
  expect(receive.consume(FIRST_WINDOW_BYTES)).toBe(2 * FIRST_WINDOW_BYTES);
  expect(budget.leftBytes).toBe(before - FIRST_WINDOW_BYTES);
  receive.close();
  receive.close();
  expect(budget.leftBytes).toBe(before);
});

test("without budget a window stays as it is", () => {
  const receive = new ReceiveWindow({ leftBytes: 0 });
  receive.receive(FIRST_WINDOW_BYTES);
  expect(receive.consume(FIRST_WINDOW_BYTES)).toBe(FIRST_WINDOW_BYTES);
});
