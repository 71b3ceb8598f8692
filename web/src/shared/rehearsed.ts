/** What stands in the summary of a dry run. Pure: a summary of another shape tells nothing, and breaks nothing. */
import { UNIT_STATES, type Counters } from "./states";

type Of = Record<string, unknown>;
export interface Rehearsal {
  counters: Counters | null;
  reasons: { state: string; reason: string; units: number }[];
  /** Rows that each output would get. */
  outputs: { output: string; rows: number }[];
}
const isOf = (value: unknown): value is Of => typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A summary leaves out who is pending: the rest of the total. */
function counted(told: Of): Counters | null {
  const settled = UNIT_STATES.filter((state) => state !== "pending");
  if (!["total", ...settled].every((name) => typeof told[name] === "number")) return null;
  const known = told as unknown as Counters;
  return { ...known, pending: known.total - settled.reduce((sum, state) => sum + known[state], 0) };
}

export function rehearsed(outcome: Of): Rehearsal {
  const told = outcome.counters;
  return {
    counters: isOf(told) ? counted(told) : null,
    reasons: list(outcome.reasons).flatMap((one) => (Array.isArray(one) && one.length === 3 ? [{ state: String(one[0]), reason: String(one[1]), units: Number(one[2]) }] : [])),
    outputs: list(outcome.outputs).flatMap((one) => (isOf(one) && typeof one.output === "string" ? [{ output: one.output, rows: Number(one.written ?? 0) }] : [])),
  };
}
