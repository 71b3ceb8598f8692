import { describe, expect, it } from "vitest";
import { latencies, sharesOf, systemsOf, withLatency } from "./costs";
import { points } from "./figures";
import { windowText } from "../../shared/Window";

const figure = (name: string, p95: number | null, count = 1) => ({ name, count, seconds: 1, rows: 0, p50: p95, p95, sent: 0, received: 0, throttled: 0, failed: 0, waited: 0, latencies: [], requests: {}, calls: {}, in_flight: 0 });
const at = (moment: number, systems: ReturnType<typeof figure>[]) => ({ at: moment, span: 5, phases: [], steps: [], rules: [], systems });

describe("latencies", () => {
  it("stand at the moments of the other charts, and nowhere during a pause", () => {
    const drawn = points([{ at: 0, span: 5, settled: 0, data: {} }, { at: 5, span: 5, settled: 9, data: {} }, { at: 100, span: 5, settled: 9, data: {} }]);
    const figures = latencies([at(0, []), at(5, [figure("crm", 0.4), figure("billing", null, 0)]), at(100, [figure("crm", 0.2)])]);
    expect(withLatency(drawn, figures).map((one) => one.p95)).toEqual([{}, {}, { crm: 0.4, billing: null }, {}, { crm: 0.2 }]);
    expect(systemsOf(figures)).toEqual(["billing", "crm"]);
  });
});

it("shares of time add up, the largest first", () => {
  expect(sharesOf([{ name: "a", seconds: 1 }, { name: "b", seconds: 3 }, { name: "c", seconds: 0 }])).toEqual([
    { name: "b", seconds: 3, share: 0.75 },
    { name: "a", seconds: 1, share: 0.25 },
  ]);
});

it("a run's window says when it closes, or opens, and nothing where there is none", () => {
  const gate = { windows: ["22:00-05:00"], zone: "UTC", open: true, opens_at: null, closes_at: 1795928400, fits: null };
  expect(windowText(gate, 1795928400 - 9060, "UTC")).toBe("window closes at 05:00 UTC (in 2 h 31 m)");
  expect(windowText({ ...gate, open: false, closes_at: null, opens_at: 1795903200 }, 1795903200 - 60, "UTC")).toBe("window opens at 22:00 UTC (in 1 m 00 s)");
  expect(windowText({ ...gate, closes_at: null }, 0, "UTC")).toBe("");
});
