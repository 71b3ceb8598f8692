import { expect, it } from "vitest";
import { asked } from "./asked";

it("what was left empty is left to the job", () => {
  const job = { name: "telco", loads: true, version: "v", folder: "f", steps: 1, outputs: [], systems: [], parameters: [], errors: [] };
  const empty = { parameters: { day: "" }, workers: "", limit: "", dryRun: false };
  expect(asked(job, empty)).toEqual({ job: "telco", parameters: {}, dry_run: false, accept_change: false });
  expect(asked(job, { ...empty, workers: "3", limit: "10", parameters: { day: "2026-01-01" } })).toMatchObject({ workers: 3, selection: { limit: 10 }, parameters: { day: "2026-01-01" } });
});
