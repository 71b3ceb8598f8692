import { expect, it } from "vitest";
import { plan } from "./purge";

it("tells what would go, what went, and what stays and why", () => {
  const found = [{ run: "r-1", ended_at: 5, rows: 7, bytes_in_repository: 10, bytes_of_files: 20 }];
  expect(plan({ dry_run: true, found, removed: [], kept: { "r-2": "it goes on" } })).toEqual({
    dry: true, removed: 0, runs: [{ run: "r-1", endedAt: 5, rows: 7, inRepository: 10, files: 20 }], kept: [{ run: "r-2", why: "it goes on" }],
  });
  expect(plan({ dry_run: false, found, removed: found, kept: {} })).toMatchObject({ dry: false, removed: 1 });
  expect(plan({})).toEqual({ dry: false, runs: [], removed: 0, kept: [] });
});
