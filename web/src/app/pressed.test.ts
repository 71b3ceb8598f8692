import { expect, it } from "vitest";
import { pressed } from "./pressed";

const runs = { key: "r", path: "/" };
const after = (key: string, next: string, ms = 200) => pressed({ key, at: 0 }, { key: next, at: ms }, [runs]);

it("goes by g and a letter, if they come together", () => {
  expect([after("g", "r"), after("g", "r", 5_000), after("x", "r"), after("g", "u")]).toEqual([runs, null, null, null]);
});

it("finds and helps at any time", () => {
  expect([after("", "/"), after("g", "?"), after("", "a")]).toEqual(["find", "help", null]);
});
