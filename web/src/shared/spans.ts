/** When runs of a job may work: said in words, and worked out for the weeks to come. The server decides; a test holds that both say the same. */
import type { Shape } from "../api/client";
import { isZone, offset } from "./zones";

export type Span = Shape<"SpanShape">;
type Day = NonNullable<Span["days"]>[number];
export interface Stretch {
  begin: number;
  end: number;
}

export const DAYS: Day[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const AHEAD = 15;
const DAY = 86_400_000;

/** `22:00 – 05:00, mon – fri`. */
export function spanText({ begin, end, days }: Span): string {
  return begin === end ? `the whole day from ${begin}, ${daysText(days)}` : `${begin} – ${end}, ${daysText(days)}`;
}

export function daysText(days: Span["days"]): string {
  const at = DAYS.flatMap((day, index) => (!days || days.includes(day) ? [index] : []));
  if (at.length === DAYS.length) return "every day";
  const [first = 0, last = 0] = [at[0], at[at.length - 1]];
  return at.length > 2 && last - first === at.length - 1 ? `${DAYS[first]} – ${DAYS[last]}` : at.map((index) => DAYS[index]).join(", ");
}

/** Stretches of open time that are not over at `now` (Unix seconds), in order; those that touch are one. Null for a zone that is none. */
export function stretches(spans: Span[], zone: string, now: number): Stretch[] | null {
  if (!isZone(zone)) return null;
  const today = Math.floor((now * 1000 + offset(now * 1000, zone)) / DAY) * DAY;
  const found: Stretch[] = [];
  for (let day = today - DAY; day < today + AHEAD * DAY; day += DAY) {
    for (const span of spans) {
      if (span.days && !span.days.includes(DAYS[(new Date(day).getUTCDay() + 6) % 7] as Day)) continue;
      const [begin, end] = [wall(day + clockOf(span.begin), zone), wall(day + (span.end <= span.begin ? DAY : 0) + clockOf(span.end), zone)];
      if (end > begin) found.push({ begin, end }); // else it lies in the hour which a leap leaves out
    }
  }
  const merged: Stretch[] = [];
  for (const one of found.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const last = merged[merged.length - 1];
    if (last && one.begin <= last.end) last.end = Math.max(last.end, one.end);
    else merged.push({ ...one });
  }
  return merged.filter((one) => one.end > now);
}

/** Until when the windows of a job, which add up, are shut at `now`; null where one is open, or there is none. `Infinity`: for two weeks at least. */
export function shutUntil(windows: Shape<"WindowShape">[], job: string, now: number): number | null {
  const mine = windows.filter((one) => one.enabled && one.job === job);
  const begins = mine.map((one) => stretches(one.spans, one.zone, now)?.[0]?.begin ?? Infinity);
  return mine.length === 0 || begins.some((begin) => begin <= now) ? null : Math.min(...begins);
}

const clockOf = (text: string): number => (Number(text.slice(0, 2)) * 60 + Number(text.slice(3))) * 60_000;

/** A time on the wall in Unix seconds: of an hour that comes twice the first one, of one that is left out the leap itself. */
function wall(utc: number, zone: string): number {
  const [old, young] = [offset(utc - DAY, zone), offset(utc + DAY, zone)];
  if (offset(utc - old, zone) === old) return (utc - old) / 1000;
  if (offset(utc - young, zone) === young) return (utc - young) / 1000;
  let [low, high] = [utc - Math.max(old, young) - 60_000, utc - Math.min(old, young) + 60_000];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offset(middle, zone) === old) low = middle;
    else high = middle;
  }
  return high / 1000;
}
