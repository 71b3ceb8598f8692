/** Which runs a person asks for. The server knows job and state; who and when are told apart here. Pure. */
import type { Shape } from "../../api/client";
import { settledOf } from "../../shared/states";

type Run = Shape<"RunShape">;
export interface Asked {
  who: string;
  /** Days of the reader's zone, `2026-11-28`; both are within. */
  from: string;
  to: string;
}

const DAY = 86_400;

/** When a day begins where the reader is, in Unix seconds; null for no day. */
export function dayBegins(day: string): number | null {
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? new Date(`${day}T00:00`).getTime() : Number.NaN;
  return Number.isNaN(at) ? null : at / 1000;
}

/** The day after it begins: not always 24 hours later. */
function dayEnds(day: string): number | null {
  const begins = dayBegins(day);
  if (begins === null) return null;
  const next = new Date((begins + 1.5 * DAY) * 1000);
  return new Date(next.getFullYear(), next.getMonth(), next.getDate()).getTime() / 1000;
}

export function matches(run: Run, asked: Asked): boolean {
  const at = run.started_at ?? run.created_at;
  const [from, to] = [dayBegins(asked.from), dayEnds(asked.to)];
  const whose = run.actor.toLowerCase().includes(asked.who.trim().toLowerCase());
  return whose && (from === null || at >= from) && (to === null || at < to);
}

/** Whether older runs than these can still match: runs come newest first. */
export function goesOn(runs: Run[], asked: Asked): boolean {
  const [from, last] = [dayBegins(asked.from), runs[runs.length - 1]];
  return from === null || last === undefined || last.created_at >= from - DAY;
}

/** Units settled per second of work; null before there is anything to divide. */
export function paceOf(run: Run): number | null {
  const settled = settledOf(run.counters);
  return run.seconds > 0 && settled > 0 ? settled / run.seconds : null;
}

/** The two to compare after one more was chosen: the older choice makes room. */
export function chosenAfter(chosen: string[], run: string): string[] {
  return chosen.includes(run) ? chosen.filter((one) => one !== run) : [...chosen, run].slice(-2);
}
