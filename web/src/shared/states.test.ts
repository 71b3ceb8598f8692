import { describe, expect, it } from "vitest";
import { shares, type Counters } from "./states";

const counters = (more: Partial<Counters>): Counters => ({ total: 0, done: 0, quarantined: 0, in_doubt: 0, gone: 0, rolled_back: 0, pending: 0, committing: 0, ...more });
const sum = (of: Counters) => shares(of).reduce((units, part) => units + part.units, 0);

describe("the states", () => {
  it("add up to the total, whatever is missing is pending", () => {
    expect(sum(counters({ total: 2000, done: 1286, quarantined: 3, in_doubt: 2, gone: 1, rolled_back: 8, pending: 700 }))).toBe(2000);
    expect(shares(counters({ total: 10, done: 4 })).find((part) => part.state === "pending")?.units).toBe(6);
  });
  it("are shares of nothing in an empty run", () => {
    expect(shares(counters({})).every((part) => part.share === 0)).toBe(true);
  });
});
