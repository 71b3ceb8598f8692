import { describe, expect, it } from "vitest";
import { bytes, count, duration, etaText, level, moment, percent, rate, span } from "./format";

describe("numbers", () => {
  it("never tells 100% before all is done, nor 0% after the first", () => {
    expect([percent(999_999, 1_000_000), percent(1_000_000, 1_000_000), percent(1, 1_000_000), percent(0, 10)]).toEqual(["99.9%", "100.0%", "0.1%", "0.0%"]);
    expect(percent(0, 0)).toBe("–");
  });
  it("have separators, and units that keep them short", () => {
    expect([count(1286412), count(null), rate(4102.4), rate(3.14), bytes(153669632), bytes(999)]).toEqual(["1,286,412", "–", "4,102/s", "3.1/s", "154 MB", "999 B"]);
  });
});

describe("times", () => {
  it("are short for short spans and whole for long ones", () => {
    expect([duration(12), duration(245), duration(8047), duration(null)]).toEqual(["12 s", "4 m 05 s", "2 h 14 m", "–"]);
  });
  it("carry their zone", () => {
    expect(moment(1795864583, "UTC")).toBe("28 Nov 2026, 11:16:23 UTC");
  });
  it("tell the end as a range, with the day where it is not today", () => {
    const now = 1795864583;
    expect(etaText({ low: now + 3600, high: now + 4320 }, now, "UTC")).toBe("12:16 – 12:28 UTC");
    expect(etaText({ low: now + 20, high: now + 45 }, now, "UTC")).toBe("in 20 s – 45 s");
    expect(etaText({ low: now + 86_400, high: now + 90_000 }, now, "UTC")).toContain("(in 1 d)");
    expect(etaText(null, now)).toBe("–");
  });
});

it("a level tells small ones apart, so that an axis has no tick twice", () => {
  expect([0, 0.0604, 0.151, 1.5, 12.34, 1234.5, null].map(level)).toEqual(["0", "0.060", "0.15", "1.50", "12.3", "1,235", "–"]);
});

it("a time of one call is short to read", () => {
  expect([0.0012, 0.0123, 0.4875, 1.42, 12.6, null].map(span)).toEqual(["1.2 ms", "12 ms", "488 ms", "1.4 s", "13 s", "–"]);
});
