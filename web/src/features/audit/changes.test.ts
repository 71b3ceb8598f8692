import { expect, it } from "vitest";
import { changes } from "./changes";

it("tells what differs, and not what stayed", () => {
  expect(changes({ role: "viewer", personal: false, gone: 1 }, { role: "editor", personal: false, days: 3 })).toEqual([
    { name: "days", before: null, after: "3" },
    { name: "gone", before: "1", after: null },
    { name: "role", before: "viewer", after: "editor" },
  ]);
  expect(changes({}, {})).toEqual([]);
});
