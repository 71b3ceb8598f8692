/** From what work cost to what is drawn: latencies on the axis of the other charts, shares of time. Pure. */
import type { Shape } from "../../api/client";
import type { Point } from "./figures";

type At = Shape<"FiguresAtShape">;
export type Timed = Point & { p95: Record<string, number | null> };

/** The p95 of each system at a moment; null where nothing was measured. */
export interface Latency {
  at: number;
  p95: Record<string, number | null>;
}

/** What charts draw of the costs by time: a hundredth of what the server tells, which is not kept. */
export const latencies = (figures: At[]): Latency[] =>
  figures.map(({ at, systems }) => ({ at, p95: Object.fromEntries(systems.map((one) => [one.name, one.count > 0 ? one.p95 : null])) }));

/** Every point with the p95 of each system at that moment; none where none was measured, so that a gap stays one. */
export function withLatency(points: Point[], figures: Latency[]): Timed[] {
  const byMoment = new Map(figures.map((one) => [one.at, one.p95]));
  return points.map((point) => ({ ...point, p95: byMoment.get(point.at) ?? {} }));
}

export const systemsOf = (figures: Latency[]): string[] => [...new Set(figures.flatMap((one) => Object.keys(one.p95)))].sort();

export interface Part {
  name: string;
  seconds: number;
  share: number;
}

/** Shares of the seconds, largest first; what has none is left out. */
export function sharesOf(figures: { name: string; seconds: number }[]): Part[] {
  const total = figures.reduce((sum, one) => sum + one.seconds, 0);
  return figures
    .filter((one) => one.seconds > 0)
    .map(({ name, seconds }) => ({ name, seconds, share: seconds / total }))
    .sort((a, b) => b.seconds - a.seconds || a.name.localeCompare(b.name));
}
