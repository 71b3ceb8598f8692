import { expect, it } from "vitest";
import { matching, placeText } from "./lineage";

const column = (name: string, table: string, source: string) => ({ column: name, expression: source, sources: [{ table, column: source }], origins: [{ table, column: source }] });
const steps = [
  { step: "steps/a.sql", output: "billing.account", kind: "sql", note: "", columns: [column("holder", "legacy.customers", "name"), column("opened", "legacy.contracts", "since")] },
  { step: "steps/b.py", output: "crm.customer", kind: "py", note: "a step in Python is not read", columns: [] },
];

it("a column is found by its own name, by its source, or by its table", () => {
  const found = (wanted: string) => matching(steps, wanted).map((step) => [step.output, step.columns.map((one) => one.column)]);
  expect(found("")).toHaveLength(2);
  expect(found("NAME")).toEqual([["billing.account", ["holder"]]]);
  expect(found("contracts")).toEqual([["billing.account", ["opened"]]]);
  expect(found("crm")).toEqual([["crm.customer", []]]);
  expect(found("nonesuch")).toEqual([]);
  expect(placeText({ table: "", column: "x" })).toBe("?.x");
});
