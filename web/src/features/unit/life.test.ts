import { expect, it } from "vitest";
import { lifeOf, meansOf, wholeOf, tookOf, tookText } from "./life";

const call = { output: "crm.customer", method: "POST", state: "done" as const, status: 201, reason: "", changed_at: 12 };

it("a unit's way is one line of time, calls among what happened, with the time that each part took", () => {
  const history = [
    { at: 10, what: "claimed", data: { chunk: "feaffcd09d92", units: 20, worker: "w-1" } },
    { at: 13, what: "decided", data: { targets: ["billing"], rows: { source: { a: 3, b: 4 }, output: { c: 9 } } } },
    { at: 13.5, what: "done", data: { chunk: "feaffcd09d92", txn: "8f03386a4962" } },
  ];
  expect(lifeOf(history, [call]).map((one) => [one.what, one.says, tookText(one.took)])).toEqual([
    ["claimed", "by w-1, in a chunk of 20 units (feaffcd0)", ""],
    ["call", "POST crm.customer: done (201)", "+2.0 s"],
    ["decided", "for billing; the chunk read 7 rows and made 9", "+1.0 s"],
    ["done", "at all targets (transaction 8f03386a)", "+500 ms"],
  ]);
});

it("a unit set aside says where and why, and waiting for a person is no time that it took", () => {
  const data = { step: "", phase: "extract", reason: "no contact", message: "no contact (unit 7)" };
  const found = lifeOf([{ at: 1, what: "quarantined", data }, { at: 900, what: "retried", data: { by: "ada" } }], []);
  expect(found.map((one) => [one.says, one.took, one.colour])).toEqual([["in extract: no contact", null, "quarantined"], ["by ada", null, "accent"]]);
  const again = [{ at: 1, what: "claimed", data: {} }, { at: 3, what: "quarantined", data }, { at: 900, what: "retried", data: {} }, { at: 901, what: "claimed", data: {} }];
  expect([wholeOf(lifeOf(again, [])), wholeOf(lifeOf(again.slice(0, 1), []))]).toEqual([3, null]);
});

it("a chunk's phases are told in their order, on average, and none that never came", () => {
  const figures = [{ name: "steps", count: 2, seconds: 1 }, { name: "extract", count: 4, seconds: 1 }, { name: "call", count: 0, seconds: 0 }, { name: "claim", count: 9, seconds: 9 }];
  expect(meansOf(figures).map((one) => [one.word, one.seconds, one.share])).toEqual([["read", 0.25, 0.5], ["steps", 0.5, 1]]);
});

it("a unit shows what its own chunk took, the newest that was decided, and what followed the decision", () => {
  const seconds = { phase: { steps: 0.4, extract: 0.1, claim: 9 }, step: { "steps/10/a.sql": 0.3 }, rule: { "rules/b.sql": 0.1 } };
  const older = { at: 1, what: "claimed", data: { seconds: { phase: { extract: 7 } } } };
  const found = tookOf([older, { at: 10, what: "decided", data: { seconds } }, { at: 10.2, what: "done", data: {} }]);
  expect(found?.phases.map((one) => [one.word, Number(one.seconds.toFixed(3)), Number(one.share.toFixed(2))])).toEqual([["read", 0.1, 0.25], ["steps", 0.4, 1], ["commit", 0.2, 0.5]]);
  expect(found?.steps).toEqual([{ name: "steps/10/a.sql", seconds: 0.3 }, { name: "rules/b.sql", seconds: 0.1 }]);
  expect(tookOf([older])?.phases.map((one) => one.word)).toEqual(["read"]);
  expect(tookOf([{ at: 1, what: "claimed", data: {} }])).toBeNull();
});
