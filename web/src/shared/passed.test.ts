import { expect, it } from "vitest";
import { barsOf, CALLS, callsOf, outcomesOf, REQUESTS } from "./passed";

it("outcomes stand in one order, with shares that add up, and an unknown one is not lost", () => {
  const found = outcomesOf({ "5xx": 1, "2xx": 4, "3xx": 0, "429": 2, teapot: 1 }, REQUESTS);
  expect(found.map((one) => [one.name, one.share, one.look.sign])).toEqual([["2xx", 0.5, "✓"], ["429", 0.25, "↻"], ["5xx", 0.125, "✕"], ["teapot", 0.125, "·"]]);
  expect(outcomesOf({ ambiguous: 3, done: 1 }, CALLS).map((one) => one.look.word)).toEqual(["done", "nobody knows"]);
  expect(outcomesOf({}, REQUESTS)).toEqual([]);
});

it("every class of time is drawn, so that cards share an axis; nothing where nothing was timed", () => {
  const bars = barsOf([0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  expect(bars.length).toBe(13);
  expect([bars[1]?.says, bars[2]?.height, bars[12]?.says]).toEqual(["5 ms – 10 ms: 1, 16.7%", 1, "over 30 s: 2, 33.3%"]);
  expect([bars[0]?.of, bars[0]?.tick, bars[12]?.tick, barsOf([]), barsOf([0, 0])]).toEqual(["up to 5 ms", "5 ms", "> 30 s", [], []]);
});

it("an outcome leads to the calls that rest in it, and to none where they were only sent again", () => {
  expect([callsOf("rejected", "r", "crm"), callsOf("ambiguous", "r", "crm"), callsOf("again", "r", "crm")]).toEqual(["/calls?state=rejected&system=crm&run=r", "/calls?state=in_doubt&system=crm&run=r", null]);
});
