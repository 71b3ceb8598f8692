/** How a system does: what was measured, and what goes on now. Pure. */
import type { Shape } from "../../api/client";
import { clock } from "../../shared/format";
import { failing, type Now } from "../../shared/lately";
import type { Look } from "../../shared/states";

export type Health = Shape<"HealthOfSystemShape">;
export type Run = Shape<"RunShape">;
type At = Shape<"FiguresAtShape">;

export interface Point {
  at: number;
  calls: number | null;
  flying: number | null;
  p95: number | null;
  throttled: number | null;
  failed: number | null;
  sent: number | null;
  received: number | null;
  /** Seconds waited by second: requests that waited at once. */
  waited: number | null;
}

const LOOKS: Record<string, Look> = {
  ok: { word: "reachable", sign: "✓", colour: "var(--s-done)" },
  away: { word: "away", sign: "✕", colour: "var(--s-failed)" },
  unused: { word: "not used yet", sign: "…", colour: "var(--s-pending)" },
};
const PAUSED: Look = { word: "its run is paused", sign: "‖", colour: "var(--s-paused)" };
const FAILING: Look = { word: "failing now", sign: "!", colour: "var(--s-quarantined)" };
const GAP = 2.5;
const NOTHING = { calls: null, flying: null, p95: null, throttled: null, failed: null, sent: null, received: null, waited: null };

/** A system that is away is told so whatever its runs do; one of whose calls more than 5% fail now is failing; one that waits with its run is neither. */
export function lookOf(health: Health, going: Run[], now: Now | null = null): Look {
  if (health.state === "ok" && failing(now)) return FAILING;
  const mine = going.filter((run) => run.job === health.job);
  const waits = mine.length > 0 && mine.every((run) => run.state === "paused");
  return health.state === "ok" && waits ? PAUSED : (LOOKS[health.state] ?? { word: health.state, sign: "?", colour: "var(--s-pending)" });
}

/** One system's lines over a run. Where samples are missing stands a gap; where nothing was asked, no latency. */
export function linesOf(series: At[], system: string): Point[] {
  return series.flatMap((one, index) => {
    const before = series[index - 1];
    const gap = before && one.at - before.at > GAP * Math.max(one.span, before.span) ? [{ at: before.at + (one.at - before.at) / 2, ...NOTHING }] : [];
    const found = one.systems.find((each) => each.name === system);
    if (one.systems.length === 0) return [...gap, { at: one.at, ...NOTHING }]; // nothing was asked of any system: the run was paused
    const told = found ? { calls: found.count, flying: found.seconds, p95: found.count > 0 ? found.p95 : null, throttled: found.throttled, failed: found.failed, sent: found.sent, received: found.received, waited: found.waited } : { ...NOTHING, calls: 0, flying: 0, throttled: 0, failed: 0, sent: 0, received: 0, waited: 0 };
    return [...gap, { at: one.at, ...told }];
  });
}

/** With room for what was turned before the first sample: a run's first seconds are when people turn most. */
export function fromFirst(points: Point[], made: { at: number }[]): Point[] {
  const first = points[0]?.at;
  const early = first === undefined ? [] : made.filter((mark) => mark.at < first).map((mark) => mark.at);
  return early.length > 0 ? [{ at: Math.min(...early), ...NOTHING }, ...points] : points;
}

/** `at most 100/s, 16 in flight`; an adapter that chooses by itself is told as such. */
export function limitsText(limits: Shape<"CallLimitsShape"> | undefined): string {
  if (!limits) return "–";
  const pace = limits.pace == null ? "no pace" : `at most ${Number(limits.pace.toFixed(2)).toLocaleString("en-US")}/s`;
  return `${pace}, ${limits.in_flight ?? "any number"} in flight`;
}

export const keyOf = (one: { job: string; name: string }): string => `${one.job}/${one.name}`;
/** The worst first: away, then by job and name. */
export const ordered = (found: Health[]): Health[] =>
  [...found].sort((a, b) => Number(b.state === "away") - Number(a.state === "away") || a.job.localeCompare(b.job) || a.name.localeCompare(b.name));

/** What workers do to a system by themselves: the newest word of each, where it is still held back. `events` are the newest first. */
export function heldBack(events: Shape<"EventShape">[], system: string): string[] {
  const newest = new Map<string, Shape<"EventShape">>();
  const gone = new Set<unknown>();
  for (const one of events) {
    if (one.name === "worker.ended" || one.name === "worker.died") gone.add(one.data.worker);
    const key = `${String(one.data.worker)} ${String(one.data.what)}`;
    if (one.name === "pace.governed" && one.data.system === system && !gone.has(one.data.worker) && !newest.has(key)) newest.set(key, one);
  }
  return [...newest.values()]
    .filter(({ data }) => data.after != null)
    .map(({ at, data }) => `${String(data.worker)} since ${clock(at)}: ${String(data.what)} ${String(data.after)}, because ${String(data.why)}`);
}
