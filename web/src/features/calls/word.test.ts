import { expect, it } from "vitest";
import { askedOf, mistakeOf, NOTHING } from "./word";

it("what the API returned goes with done, and never with absent", () => {
  const held = { ...NOTHING, reason: " looked it up ", id: " c-4711 ", more: "href=/c?a=b\n\n  rev=2 " };
  expect(askedOf({ ...held, word: "done" })).toEqual({ word: "done", reason: "looked it up", returns: { id: "c-4711", href: "/c?a=b", rev: "2" } });
  expect(askedOf({ ...held, word: "absent" })).toEqual({ word: "absent", reason: "looked it up", returns: {} });
  expect(askedOf({ ...NOTHING, word: "done", reason: "r" }).returns).toEqual({});
});

it("nothing is sent without a word, and a line that is no name=value is named before it is sent", () => {
  expect(() => askedOf(NOTHING)).toThrow();
  expect(mistakeOf({ ...NOTHING, more: "rev=2\nnonsense" })).toContain("nonsense");
  expect(mistakeOf({ ...NOTHING, more: "rev=\n" })).toBe("");
});
