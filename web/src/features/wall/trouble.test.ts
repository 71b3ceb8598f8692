import { expect, it } from "vitest";
import { troubleOf } from "./WallPage";

const well = { state: "running" as const, held: true, reason: "", waiting: [] };

it("the wall says one thing, the worst: an old figure is never shown as a new one", () => {
  const waiting = [{ chunks: 8, reason: "crm answers 503" }];
  expect(troubleOf(well, 1)).toBe("");
  expect(troubleOf({ ...well, waiting }, 1)).toBe("8 chunks wait: crm answers 503");
  expect(troubleOf({ ...well, waiting, held: false }, 1)).toContain("Nobody holds this run");
  expect(troubleOf({ ...well, waiting, held: false }, 61)).toBe("No answer from the server for 1 m 01 s: these figures are old");
  expect(troubleOf({ ...well, state: "failed", held: false, reason: "the quarantine limit" }, 1)).toBe("the quarantine limit");
});
