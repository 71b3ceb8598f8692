import { expect, it } from "vitest";
import { change, differing, together } from "./pairs";

it("a change has its sign and its share, and no share of nothing", () => {
  expect([change(400, 412), change(10, 5), change(0, 3)]).toEqual(["+12 (+3.0%)", "-5 (−50.0%)", "+3"]);
});

it("what is the same is left out unless it is asked for", () => {
  const pairs = [{ a: 1, b: 1 }, { a: 1, b: 2 }];
  expect([differing(pairs, false).length, differing(pairs, true).length]).toEqual([1, 2]);
});

it("two paces start together, and each ends where its run does", () => {
  expect(together([{ second: 2, settled: 10 }, { second: 4, settled: 20 }], [{ second: 3, settled: 5 }])).toEqual([
    { second: 0, a: 0, b: 0 }, { second: 2, a: 10, b: 0 }, { second: 3, a: 10, b: 5 }, { second: 4, a: 20, b: null },
  ]);
});
