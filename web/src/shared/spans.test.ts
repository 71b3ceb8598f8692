import { expect, it } from "vitest";
import { daysText, shutUntil, spanText, stretches, type Span } from "./spans";

const span = (begin: string, end: string, days: Span["days"] = null): Span => ({ begin, end, days });
const NIGHT = span("22:00", "05:00", ["mon", "tue", "wed", "thu", "fri"]);

// What the server's own windows say of the same spans (ludb.service.windows).
it.each<[Span[], string, number, number[][]]>([
  [[span("02:30", "06:00")], "Europe/Berlin", 1774652400, [[1774661400, 1774674000], [1774746000, 1774756800], [1774830600, 1774843200]]],
  [[span("02:30", "06:00")], "Europe/Berlin", 1792792800, [[1792801800, 1792814400], [1792888200, 1792904400], [1792978200, 1792990800]]],
  [[NIGHT, span("05:00", "07:00", ["sat"])], "Europe/Berlin", 1795903200, [[1796072400, 1796097600], [1796158800, 1796184000], [1796245200, 1796270400]]],
  [[span("00:00", "00:00")], "UTC", 1795903200, [[1795737600, 1797120000]]],
  [[span("02:10", "02:50", ["sun"])], "Europe/Berlin", 1774652400, [[1775347800, 1775350200]]],
  [[span("23:30", "02:30", ["sat"])], "America/New_York", 1793577600, [[1794112200, 1794123000], [1794717000, 1794727800]]],
])("%j in %s is open when the server says so, over leaps of the clock too", (spans, zone, now, open) => {
  expect(stretches(spans, zone, now)?.slice(0, 3).map((one) => [one.begin, one.end])).toEqual(open);
});

it("a zone that is none has no open time", () => {
  expect(stretches([NIGHT], "Europe/Berlino", 0)).toBeNull();
});

it("is said in words that are short", () => {
  expect([spanText(NIGHT), spanText(span("00:00", "00:00")), daysText(["sat", "sun"]), daysText(["mon", "wed", "fri"]), daysText(["sun"])]).toEqual([
    "22:00 – 05:00, mon – fri", "the whole day from 00:00, every day", "sat, sun", "mon, wed, fri", "sun",
  ]);
});

it("a launch waits while all windows of its job are shut, and only those of its job", () => {
  const window = (job: string, begin: string, enabled = true) => ({ id: begin, name: begin, job, zone: "UTC", spans: [span(begin, "23:00")], enabled, changed_by: "edi", changed_at: 1 });
  const noon = 1795867200;
  expect(shutUntil([window("telco", "22:00"), window("telco", "18:00"), window("other", "11:00")], "telco", noon)).toBe(noon + 6 * 3600);
  expect([shutUntil([window("telco", "22:00"), window("telco", "11:00")], "telco", noon), shutUntil([window("telco", "22:00", false)], "telco", noon), shutUntil([], "telco", noon)]).toEqual([null, null, null]);
});
