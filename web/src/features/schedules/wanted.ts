/** A schedule as the form holds it, and as the server is asked. Pure. */
import type { Shape } from "../../api/client";
import { cronFirings, momentIn, type Firings } from "./firings";

type Schedule = Shape<"ScheduleShape">;
export interface Wanted {
  name: string;
  job: string;
  kind: Shape<"Kind">;
  spec: string;
  zone: string;
  workers: string;
  parameters: Record<string, string>;
}

export const KINDS: Record<Shape<"Kind">, { word: string; spec: string; example: string }> = {
  cron: { word: "again and again (cron)", spec: "Minute hour day month weekday", example: "0 22 * * 5" },
  once: { word: "once", spec: "Moment", example: "2026-01-31T22:00" },
  after: { word: "after another job", spec: "When a run of this job is complete", example: "" },
  file: { word: "when a file arrives", spec: "File name, * for any part", example: "/data/inbox/customers-*.csv" },
  webhook: { word: "by webhook", spec: "", example: "" },
};

export const OFFERED = Object.keys(KINDS) as Shape<"Kind">[];

export const EMPTY: Wanted = { name: "", job: "", kind: "cron", spec: "", zone: "", workers: "", parameters: {} };

export function wantedOf(schedule: Schedule): Wanted {
  const { name, job, kind, spec, zone } = schedule;
  return { ...EMPTY, name, job, kind, spec, zone };
}

export function asked(wanted: Wanted): Shape<"ScheduleAsked"> {
  const { name, job, kind, spec, zone } = wanted;
  const parameters = Object.fromEntries(Object.entries(wanted.parameters).filter(([, value]) => value !== ""));
  return { name, job, kind, ...timeOf(kind, spec), zone, enabled: true, parameters, ...(wanted.workers ? { workers: Number(wanted.workers) } : {}) };
}

/** What is sent of a schedule that is there: its name, and its time where it has one. */
export function changeOf({ name, kind, spec, zone }: Wanted): Shape<"ScheduleChange"> {
  return { name, zone, ...timeOf(kind, spec) };
}

/** A webhook has no time: the server refuses one. */
const timeOf = (kind: Wanted["kind"], spec: string) => (kind === "webhook" ? {} : { spec });

/** Where a webhook is called, by whoever has its secret. */
export const fireAt = (origin: string, schedule: string) => `${origin}/api/v1/schedules/${encodeURIComponent(schedule)}/fire`;

/** When it would start its job next, as far as the clock decides that. */
export function firings(wanted: Pick<Wanted, "kind" | "spec" | "zone">, now: number): Firings {
  if (wanted.kind === "cron") return cronFirings(wanted.spec, wanted.zone, now);
  if (wanted.kind !== "once" || !wanted.spec) return { at: [], mistake: "" };
  const at = momentIn(wanted.spec, wanted.zone);
  if (at === null) return { at: [], mistake: "this is no moment of this zone" };
  return at < now ? { at: [], mistake: "this moment is over" } : { at: [at], mistake: "" };
}
