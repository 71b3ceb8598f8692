import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { inTurn } from "./turns";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("three charts are drawn in three tasks, in order, and one that was taken back is not", () => {
  const drawn: string[] = [];
  for (const name of ["pace", "latency", "host"]) inTurn(() => drawn.push(name));
  inTurn(() => drawn.push("left"))();
  const after: string[] = [];
  for (let task = 0; task < 6; task++) {
    vi.advanceTimersToNextTimer();
    after.push(drawn.join(" "));
  }
  expect(after.slice(0, 3)).toEqual(["pace", "pace latency", "pace latency host"]);
  expect(after[5]).toBe("pace latency host");
});

test("what is asked for after all was drawn is drawn, too", () => {
  const act = vi.fn();
  inTurn(act);
  vi.runAllTimers();
  inTurn(act);
  vi.runAllTimers();
  expect(act).toHaveBeenCalledTimes(2);
});
