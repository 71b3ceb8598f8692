import { expect, test } from "vitest";
import { moments, thinned } from "./thin";

interface P {
  at: number;
  rate: number | null;
  p95: number | null;
}
const LINES = [{ of: (point: P) => point.rate }, { of: (point: P) => point.p95, peak: true }];
const run = (many: number, rate = (at: number): number | null => at % 3): P[] => Array.from({ length: many }, (_, at) => ({ at, rate: rate(at), p95: rate(at) }));

test("a few points are drawn as they are, however near to each other", () => {
  const near = run(3).map((point) => ({ ...point, at: point.at / 4 }));
  expect(thinned(near, LINES, 3)).toEqual([0, 1, 2].map((at) => ({ at: at / 4, values: [at, at] })));
});

test("many are drawn by stretches of time: the mean of a pace, the worst of a latency, from the first moment to the last", () => {
  const rows = thinned(run(720), LINES);
  expect([rows.length <= 242, rows.length > 120, rows[0]?.at, rows[rows.length - 1]?.at]).toEqual([true, true, 0, 719]);
  expect(rows[2]).toEqual({ at: 7, values: [(1 + 2 + 0 + 1) / 4, 2] });
});

test("a new sample moves none of the old points, so that a line does not shiver", () => {
  const before = thinned(run(700), LINES);
  expect(thinned(run(720), LINES).slice(0, before.length - 1)).toEqual(before.slice(0, -1));
});

test("a pause stays a gap, however short it is, and however long it is drawn as one point", () => {
  const rows = thinned(run(720, (at) => ((at > 100 && at < 300) || at === 401 ? null : 1)), LINES);
  expect(rows.filter((row) => row.values[0] === null).map((row) => row.at)).toEqual([101, 401]);
});

test("round moments stand below a chart, by the reader's clock, and no more than fit", () => {
  expect(moments(3_601, 7_300, 5)).toEqual([4_500, 5_400, 6_300, 7_200]);
  expect(moments(0, 86_400, 3, 7_200)).toEqual([36_000, 79_200]);
  expect([moments(5, 5, 4), moments(0, 90, 0)]).toEqual([[5], []]);
  for (const length of [10, 700, 20_000, 900_000, 40_000_000]) expect(moments(17, 17 + length, 6).length).toBeLessThanOrEqual(6);
});
