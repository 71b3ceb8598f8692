import { expect, it } from "vitest";
import type { Shape } from "../../api/client";
import { chosenAfter, dayBegins, goesOn, matches, paceOf } from "./filter";

const counters = { total: 100, done: 40, quarantined: 10, in_doubt: 0, gone: 0, rolled_back: 0, pending: 50, committing: 0 };
const run = (more: Partial<Shape<"RunShape">>) => ({ id: "r", actor: "ada", created_at: 0, started_at: null, seconds: 10, counters, ...more }) as Shape<"RunShape">;
const nobody = { who: "", from: "", to: "" };

it("a day is whole: its first and its last moment count, where the reader is", () => {
  const day = dayBegins("2026-11-28") ?? 0;
  const asked = { who: "", from: "2026-11-28", to: "2026-11-28" };
  expect([-1, 0, 86_399, 86_400].map((after) => matches(run({ started_at: day + after }), asked))).toEqual([false, true, true, false]);
});

it("who started it is found in part, whatever the case", () => {
  expect(matches(run({}), { ...nobody, who: " AD" })).toBe(true);
  expect(matches(run({}), { ...nobody, who: "bo" })).toBe(false);
});

it("older pages are asked for only while they can match", () => {
  const day = dayBegins("2026-11-28") ?? 0;
  expect(goesOn([run({ created_at: day + 5 })], { ...nobody, from: "2026-11-28" })).toBe(true);
  expect(goesOn([run({ created_at: day - 3 * 86_400 })], { ...nobody, from: "2026-11-28" })).toBe(false);
  expect(goesOn([], nobody)).toBe(true);
});

it("pace is what was settled, not the size of the list", () => {
  expect(paceOf(run({}))).toBe(5);
  expect(paceOf(run({ seconds: 0 }))).toBeNull();
});

it("two are compared: a third takes the place of the first", () => {
  expect(["a", "b", "c", "b"].reduce(chosenAfter, [])).toEqual(["c"]);
});
