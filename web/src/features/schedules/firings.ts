/** When a schedule would start its job: shown before it is kept. The server decides; a test holds that both say the same. */
import { Cron } from "croner";
import { isZone, offset } from "../../shared/zones";

export type Firings = { at: number[]; mistake: string };

/** The next moments after `now` (Unix seconds) by a five-field cron expression in a zone, or what is wrong with it. */
export function cronFirings(spec: string, zone: string, now: number, most = 5): Firings {
  if (!spec.trim()) return { at: [], mistake: "" };
  if (spec.trim().split(/\s+/).length !== 5) return { at: [], mistake: "five fields: minute, hour, day, month, weekday" };
  try {
    const at = new Cron(spec.trim(), { timezone: zone, paused: true }).nextRuns(most, new Date(now * 1000)).map((one) => one.getTime() / 1000);
    return { at, mistake: at.length ? "" : "it is never due" };
  } catch {
    return { at: [], mistake: isZone(zone) ? "this is no cron expression" : `there is no time zone ${zone}` };
  }
}

/** `2026-01-31T22:00` in a zone, in Unix seconds; null where it is no moment. */
export function momentIn(spec: string, zone: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(spec) || !isZone(zone)) return null;
  const utc = Date.parse(`${spec}Z`);
  if (Number.isNaN(utc)) return null;
  // Around a leap there are two offsets. Of a moment that comes twice the first is meant; one that never comes is told by the old offset.
  const [old, young] = [offset(utc - 86_400_000, zone), offset(utc + 86_400_000, zone)].map((by) => utc - by) as [number, number];
  const exists = (at: number) => at + offset(at, zone) === utc;
  return (exists(old) || !exists(young) ? old : young) / 1000;
}
