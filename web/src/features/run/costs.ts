/** From what work cost to what is drawn: latencies on the axis of the other charts, shares of time. Pure. */
import type { Shape } from "../../api/client";
import type { Point } from "./figures";

type At = Shape<"FiguresAtShape">;
export type Timed = Point & { p95: Record<string, number> };

/** Every point with the p95 of each system at that moment; none where none was measured, so that a gap stays one. */
export function withLatency(points: Point[], figures: At[]): Timed[] {
  const byMoment = new Map(figures.map((one) => [one.at, one]));
  return points.map((point) => {
    const measured = byMoment.get(point.at)?.systems.filter((system) => system.count > 0 && system.p95 !== null) ?? [];
    return { ...point, p95: Object.fromEntries(measured.map((system) => [system.name, system.p95 as number])) };
  });
}

export const systemsOf = (figures: At[]): string[] => [...new Set(figures.flatMap((one) => one.systems.map((system) => system.name)))].sort();

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
