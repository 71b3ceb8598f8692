import { expect, it } from "vitest";
import { holding, sinceOf } from "./since";

it("a time that has passed is asked for by the minute, and any time not at all", () => {
  expect([sinceOf("1h", 7_259), sinceOf("1h", 7_201), sinceOf("", 7_259), sinceOf("nonsense", 7_259)]).toEqual([3_600, 3_600, undefined, undefined]);
});

it("reasons are found by a part of them, or of their step, in capitals or not", () => {
  const reasons = [{ reason: "the customer has no contact", step: "rules/has_contact.sql" }, { reason: "refused", step: "crm.customer" }];
  expect([holding(reasons, "NO contact").length, holding(reasons, "CRM").length, holding(reasons, "").length, holding(reasons, "x%").length]).toEqual([1, 1, 2, 0]);
});
