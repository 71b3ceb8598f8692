/** What goes to and from a system now, from the samples of a run. Pure. */
import type { Shape } from "../api/client";

type At = Shape<"FiguresAtShape">;
export interface Now {
  calls: number;
  /** Requests, or statements, that were on their way at once: a mean over the last samples. */
  flying: number;
  failed: number;
}
const LATELY = 20;
const MANY = 0.05;

/** Over the samples of the last 20 seconds; null where nobody has looked lately. */
export function nowOf(series: At[], system: string, now: number): Now | null {
  const last = series.filter((one) => one.at > now - LATELY);
  const span = last.reduce((sum, one) => sum + one.span, 0);
  if (span <= 0) return null;
  const mean = (of: "count" | "seconds" | "failed") => last.reduce((sum, one) => sum + (one.systems.find((found) => found.name === system)?.[of] ?? 0) * one.span, 0) / span;
  return { calls: mean("count"), flying: mean("seconds"), failed: mean("failed") };
}

/** Whether more than 5% of what goes there now fails. */
export const failing = (now: Now | null): boolean => now !== null && now.calls > 0 && now.failed / now.calls > MANY;
