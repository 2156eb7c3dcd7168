import { describe, expect, test } from "vitest";
import { FLOWS_MAX, FlowTable } from "./flowtable.ts";

const PORT = 8125;

describe("a flow", () => {
  test.each([
    ["that was never answered ends after a minute", PORT, false, 60_000],
    ["that was answered ends after five minutes", PORT, true, 300_000],
    ["to a DNS server ends after ten seconds", 53, true, 10_000],
  ])("%s without a datagram", (_name, port, isAnswered, idleMs) => {
    const table = new FlowTable<string>();
    table.add("a", "flow a", port, 0);
    if (isAnswered) table.answered("a", 0);
    expect(table.sweepAtMs(0)).toBe(idleMs);
    expect(table.sweep(idleMs - 1)).toEqual([]);
    expect(table.sweep(idleMs)).toEqual(["flow a"]);
    expect(table.size).toBe(0);
    expect(table.sweepAtMs(idleMs)).toBeUndefined();
  });

  test("lives on with datagrams of either direction", () => {
    const table = new FlowTable<string>();
    table.add("a", "flow a", PORT, 0);
    expect(table.use("a", 50_000)).toBe("flow a");
    expect(table.sweep(109_999)).toEqual([]);
    table.answered("a", 109_999);
    expect(table.sweep(409_998)).toEqual([]);
    expect(table.sweep(409_999)).toEqual(["flow a"]);
  });

  test("that is not there is nobody's", () => {
    const table = new FlowTable<string>();
    expect(table.use("a", 0)).toBeUndefined();
    table.answered("a", 0);
    expect(table.size).toBe(0);
  });
});

describe("the table", () => {
  test("has room for 4096; one more ends the one that was quiet for longest", () => {
    const table = new FlowTable<number>();
    for (let i = 0; i < FLOWS_MAX; i++) expect(table.add(`c${i}`, i, PORT, i)).toEqual([]);
    table.use("c0", 5_000);
    table.answered("c1", 5_000);
    expect(table.add("new", -1, PORT, 5_001)).toEqual([2]);
    expect(table.size).toBe(FLOWS_MAX);
    expect(table.use("c0", 5_002)).toBe(0);
    expect(table.use("c2", 5_002)).toBeUndefined();
  });

  test("is not swept all the time while one of many is about to end", () => {
    const table = new FlowTable<string>();
    table.add("a", "a", PORT, 0);
    expect(table.sweepAtMs(59_999)).toBe(60_999);
  });

  test("gives back all at its end", () => {
    const table = new FlowTable<string>();
    table.add("a", "a", PORT, 0);
    table.add("b", "b", PORT, 0);
    expect(table.clear()).toEqual(["a", "b"]);
    expect(table.size).toBe(0);
  });
});
