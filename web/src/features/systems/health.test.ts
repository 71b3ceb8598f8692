import { describe, expect, it } from "vitest";
import { nowOf } from "../../shared/lately";
import { fromFirst, heldBack, limitsText, linesOf, lookOf, ordered, type Health, type Run } from "./health";

const figure = (count: number, seconds: number, p95: number | null = 0.2) => ({ name: "crm", count, seconds, rows: 0, p50: p95, p95, sent: 0, received: 0, throttled: 1, failed: 0, waited: 0, latencies: [], requests: {}, calls: {}, in_flight: 0 });
const at = (moment: number, systems = [figure(10, 4)]) => ({ at: moment, span: 5, phases: [], steps: [], rules: [], systems });
const health = (name: string, state: string): Health => ({ job: "telco", name, type: "rest", roles: [], state, since: null, error: "", runs: 1, last_run: "r", last_at: 1, figure: null, of_runs: [] });
const run = (state: string) => ({ job: "telco", state }) as Run;

describe("a system", () => {
  it("that is away stands first and is told so even while its run is paused", () => {
    expect(ordered([health("billing", "ok"), health("crm", "away"), health("a", "unused")]).map((one) => one.name)).toEqual(["crm", "a", "billing"]);
    expect([lookOf(health("crm", "away"), [run("paused")]), lookOf(health("crm", "ok"), [run("paused")]), lookOf(health("crm", "ok"), [run("running"), run("paused")]), lookOf(health("crm", "ok"), [])].map((one) => one.word)).toEqual(["away", "its run is paused", "reachable", "reachable"]);
  });

  it("that answers, but with errors, is failing: reachable would be too good", () => {
    const now = (failed: number) => ({ calls: 100, flying: 1, failed });
    expect([lookOf(health("crm", "ok"), [run("running")], now(6)), lookOf(health("crm", "ok"), [run("running")], now(5)), lookOf(health("crm", "away"), [], now(100)), lookOf(health("crm", "ok"), [], { calls: 0, flying: 0, failed: 0 })].map((one) => one.word)).toEqual(["failing now", "reachable", "away", "reachable"]);
  });

  it("tells calls and requests on their way of the last seconds, and nothing of old samples", () => {
    expect(nowOf([at(10, [figure(99, 99)]), at(100), at(105, [figure(20, 8)])], "crm", 106)).toEqual({ calls: 15, flying: 6, failed: 0 });
    expect(nowOf([at(10)], "crm", 106)).toBeNull();
    expect(nowOf([at(100)], "billing", 106)).toEqual({ calls: 0, flying: 0, failed: 0 });
  });

  it("has no line over a pause, and no latency where nothing was asked", () => {
    const drawn = linesOf([at(0), at(5, [figure(0, 0)]), at(100), at(105, [])], "crm");
    expect(linesOf([at(0)], "billing")[0]).toMatchObject({ calls: 0, p95: null });
    expect(drawn.map((one) => [one.at, one.calls, one.p95])).toEqual([[0, 10, 0.2], [5, 0, null], [52.5, null, null], [100, 10, 0.2], [105, null, null]]);
  });

  it("shows what was turned before its first sample", () => {
    const drawn = linesOf([at(10), at(15)], "crm");
    expect(fromFirst(drawn, [{ at: 12 }, { at: 7 }, { at: 8 }]).map((one) => [one.at, one.calls])).toEqual([[7, null], [10, 10], [15, 10]]);
    expect([fromFirst(drawn, [{ at: 12 }]), fromFirst([], [{ at: 1 }])]).toEqual([drawn, []]);
  });

  it("is paced by a number, or not at all", () => {
    expect([limitsText({ pace: 100, in_flight: 16 }), limitsText({ pace: null, in_flight: null }), limitsText(undefined)]).toEqual(["at most 100/s, 16 in flight", "no pace, any number in flight", "–"]);
  });

  it("is held back by a worker until that lets go", () => {
    const event = (at: number, worker: string, after: number | null) => ({ number: at, at, run: "r", name: "pace.governed", level: "info", chunk: "", data: { system: "crm", worker, what: "pace", before: 80, after, why: "it refused 8 of 8 requests" } });
    const told = heldBack([event(3, "w-2", 20), event(2, "w-1", null), event(1, "w-1", 40)], "crm");
    expect(told).toEqual([expect.stringMatching(/^w-2 since .*: pace 20, because it refused 8 of 8 requests$/)]);
    expect(heldBack([event(3, "w-2", 20)], "inventory")).toEqual([]);
    expect(heldBack([{ ...event(4, "w-2", null), name: "worker.ended" }, event(3, "w-2", 20)], "crm")).toEqual([]);
  });
});
