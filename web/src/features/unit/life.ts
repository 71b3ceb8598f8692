/** A unit's way in one run: what is known of it, in order, and how long each part took. Pure. */
import type { Shape } from "../../api/client";
import { count, span } from "../../shared/format";
import { saidOf } from "../../shared/said";

export interface Moment {
  at: number;
  what: string;
  says: string;
  /** Since the moment before it; none for the first, and where somebody had to come in between. */
  took: number | null;
  colour: string;
}
type History = Shape<"HistoryShape">;
type Call = Pick<Shape<"CallShape">, "output" | "method" | "state" | "status" | "reason" | "changed_at">;

const COLOURS: Record<string, string> = { done: "done", quarantined: "quarantined", in_doubt: "doubt", gone: "gone", rolled_back: "failed" };
/** What a person asked for: the time until then was not the unit's. */
const APART = new Set(["retried"]);
const short = (id: unknown) => String(id).slice(0, 8);
const list = (value: unknown) => (Array.isArray(value) && value.length > 0 ? value.map(String).join(", ") : "no target");
const rows = (of: unknown, side: string): number => Object.values(((of as Record<string, Record<string, number>> | undefined)?.[side]) ?? {}).reduce((sum, many) => sum + many, 0);

const SAYS: Record<string, (data: Record<string, unknown>) => string> = {
  claimed: ({ worker, units, chunk }) => `by ${String(worker)}, in a chunk of ${count(Number(units))} ${Number(units) === 1 ? "unit" : "units"} (${short(chunk)})`,
  decided: ({ targets, rows: of }) => `for ${list(targets)}${of ? `; the chunk read ${count(rows(of, "source"))} rows and made ${count(rows(of, "output"))}` : ""}`,
  done: ({ txn }) => `at all targets${txn ? ` (transaction ${short(txn)})` : ""}`,
  undo: ({ reason }) => `its calls are taken back${reason ? `: ${String(reason)}` : ""}`,
  retried: ({ by }) => (by ? `by ${String(by)}` : ""),
  quarantined: ({ step, phase, reason }) => `in ${String(reason).startsWith(`${String(step)}:`) ? String(phase) : String(step || phase)}: ${String(reason)}`,
};

/** History and calls as one line of time. A call stands at its last change. */
export function lifeOf(history: History[], calls: Call[]): Moment[] {
  const told = history.map(({ at, what, data }) => ({ at, what, says: (SAYS[what] ?? ((of) => saidOf(what, of)))(data), colour: COLOURS[what] ?? "accent" }));
  const called = calls.map((one) => ({
    at: one.changed_at, what: "call", colour: one.state === "done" || one.state === "undone" ? "pending" : "doubt",
    says: `${one.method} ${one.output}: ${one.state.replaceAll("_", " ")}${one.status == null ? "" : ` (${one.status})`}${one.reason ? `, ${one.reason}` : ""}`,
  }));
  const all = [...told, ...called].map((one, index) => ({ ...one, index })).sort((a, b) => a.at - b.at || a.index - b.index);
  return all.map(({ index: _, ...one }, at) => {
    const before = all[at - 1];
    return { ...one, took: before && !APART.has(one.what) ? one.at - before.at : null };
  });
}

/** How long all of it took; what somebody let it wait for is no part of it. Null before there is a second moment. */
export const wholeOf = (life: Moment[]): number | null => (life.length < 2 ? null : life.reduce((sum, one) => sum + (one.took ?? 0), 0));

const PHASES: [string, string][] = [
  ["extract", "read"], ["assemble", "load"], ["steps", "steps"], ["rules", "rules"], ["rehearse", "rehearse the writes"], ["call", "call the APIs"],
  ["prepare", "prepare the targets"], ["journal", "journal"], ["decide", "decide"], ["commit", "commit"], ["record", "record"],
];
export interface Part {
  name: string;
  word: string;
  /** Of one chunk. */
  seconds: number;
  share: number;
}
export interface Took {
  phases: Part[];
  steps: { name: string; seconds: number }[];
}
type Seconds = Record<string, Record<string, number>>;

/** Phases in their order; those that never came are left out. */
function inOrder(seconds: Map<string, number>): Part[] {
  const found = PHASES.flatMap(([name, word]) => (seconds.has(name) ? [{ name, word, seconds: seconds.get(name) ?? 0 }] : []));
  const longest = Math.max(...found.map((one) => one.seconds), Number.MIN_VALUE);
  return found.map((one) => ({ ...one, share: one.seconds / longest }));
}

/** What the chunk that settled this unit took until its decision, as it was kept with it; null where it was not. What came after
 * the decision is the way from there to the end of it. */
export function tookOf(history: History[]): Took | null {
  const told = history.flatMap(({ data, at, what }, index) => {
    const seconds = data.seconds as Seconds | undefined;
    const next = history[index + 1];
    return seconds?.phase ? [{ seconds, commit: what === "decided" && next?.what === "done" ? next.at - at : null }] : [];
  }).at(-1);
  if (!told) return null;
  const phases = new Map(Object.entries(told.seconds.phase ?? {}));
  if (told.commit !== null) phases.set("commit", told.commit);
  const steps = Object.entries({ ...told.seconds.step, ...told.seconds.rule }).map(([name, seconds]) => ({ name, seconds }));
  return { phases: inOrder(phases), steps };
}

/** What a chunk of the run costs on average. */
export function meansOf(figures: { name: string; count: number; seconds: number }[]): Part[] {
  return inOrder(new Map(figures.filter((one) => one.count > 0).map((one) => [one.name, one.seconds / one.count])));
}

export const tookText = (seconds: number | null): string => (seconds === null || seconds < 0.001 ? "" : `+${span(Math.max(0, seconds))}`);
