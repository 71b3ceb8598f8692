import { expect, it } from "vitest";
import { titleOf } from "./title";

it("a tab is told from others by what it shows, and is never empty", () => {
  expect([titleOf("64.3% telco", "running"), titleOf(undefined, "Alerts"), titleOf("")]).toEqual(["64.3% telco · running · ludb", "Alerts · ludb", "ludb"]);
});
