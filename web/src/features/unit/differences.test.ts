import { expect, it } from "vitest";
import { byCell, said } from "./differences";

const differs = { output: "billing.account", row: 1, column: "name", kind: "differs", meant: "Ada", found: "Eve" };
const missing = { output: "billing.account", row: 0, column: "", kind: "missing", meant: null, found: null };
const other = { ...differs, output: "billing.address" };

it("a difference stands at its own cell of its own table, and a missing row is none of a cell", () => {
  const found = byCell([differs, missing, other], "billing.account");
  expect([found.at(1, "name"), found.at(0, "name"), found.at(1, "other"), [...found.missing], found.count]).toEqual([differs, undefined, undefined, [0], 2]);
});

it("what differs is said in words", () => {
  expect([said([]), said([differs]), said([differs, other, missing])]).toEqual(["all as written", "1 cell differs", "2 cells differ, 1 row is missing"]);
});
