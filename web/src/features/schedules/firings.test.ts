import { expect, it } from "vitest";
import { cronFirings, momentIn } from "./firings";

// What the server's own plan says of the same expressions (ludb.service.scheduling).
it.each([
  ["30 2 * * *", "Europe/Berlin", 1774652400, [1774661400, 1774746000, 1774830600]],
  ["30 2 * * *", "Europe/Berlin", 1792792800, [1792801800, 1792888200, 1792978200]],
  ["*/30 1-3 * * *", "Europe/Berlin", 1792879200, [1792882800, 1792884600, 1792886400, 1792888200, 1792890000]],
  ["0 22 * * 5", "Europe/Berlin", 1795820400, [1796418000, 1797022800]],
  ["0 0 1,15 * 1", "UTC", 1795824000, [1795996800, 1796083200, 1796601600]],
])("%s in %s is due when the server says so, over leaps of the clock too", (spec, zone, now, due) => {
  expect(cronFirings(spec, zone, now, due.length)).toEqual({ at: due, mistake: "" });
});

it("says what is wrong, and nothing of an empty field", () => {
  expect(["", "0 22 *", "99 * * * *", "0 0 30 2 *"].map((spec) => cronFirings(spec, "UTC", 0).mistake)).toEqual([
    "", "five fields: minute, hour, day, month, weekday", "this is no cron expression", "it is never due",
  ]);
  expect(cronFirings("0 0 * * *", "Europe/Berlino", 0).mistake).toBe("there is no time zone Europe/Berlino");
});

it("a moment is of its zone; one that comes twice is the first, one that never comes is told by the old clock", () => {
  const moments = ["2026-07-01T22:00", "2026-10-25T02:30", "2026-03-29T02:30", "tomorrow"].map((spec) => momentIn(spec, "Europe/Berlin"));
  expect(moments).toEqual([1782936000, 1792888200, 1774747800, null]);
});
