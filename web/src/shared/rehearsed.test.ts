import { expect, it } from "vitest";
import { rehearsed } from "./rehearsed";

it("a rehearsal tells who would stay behind and what would be written", () => {
  const counters = { total: 4, done: 2, quarantined: 1, in_doubt: 0, gone: 0, rolled_back: 0, committing: 0 };
  const found = rehearsed({ counters, reasons: [["quarantined", "no contact", 1]], outputs: [{ output: "billing.account", produced: 3, written: 2, held: {} }] });
  expect(found).toEqual({ counters: { ...counters, pending: 1 }, reasons: [{ state: "quarantined", reason: "no contact", units: 1 }], outputs: [{ output: "billing.account", rows: 2 }] });
});

it("what is no summary is told as it came, without breaking the form", () => {
  expect(rehearsed({ counters: { total: 3 }, reasons: "none", outputs: [1] })).toEqual({ counters: null, reasons: [], outputs: [] });
});
