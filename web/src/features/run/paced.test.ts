import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { paced } from "./paced";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a hundred events make a page read once, and the last of them is not forgotten", () => {
  const act = vi.fn();
  const one = paced(act, 400);
  for (let event = 0; event < 100; event++) {
    one.ask();
    vi.advanceTimersByTime(3);
  }
  expect(act).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(100);
  expect(act).toHaveBeenCalledTimes(1);
  one.ask();
  vi.advanceTimersByTime(399);
  expect(act).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(2);
});

test("a page that was left reads no more", () => {
  const act = vi.fn();
  const one = paced(act, 400);
  one.ask();
  one.drop();
  vi.advanceTimersByTime(1_000);
  expect(act).not.toHaveBeenCalled();
});

test("while much happens it is done seldom, the first time at once", () => {
  const at: number[] = [];
  const one = paced(() => at.push(performance.now()), 400, 1_000);
  const began = performance.now();
  for (let event = 0; event < 40; event++) {
    one.ask();
    vi.advanceTimersByTime(100);
  }
  expect(at.map((moment) => Math.round(moment - began))).toEqual([400, 1400, 2400, 3400]);
});
