/** What passed to and from a system, as it is drawn: outcomes in a fixed order, classes of time. Pure. */
import type { Shape } from "../api/client";
import { count, percent } from "./format";
import type { Look } from "./states";

const look = (word: string, sign: string, colour: string): Look => ({ word, sign, colour: `var(--s-${colour})` });

/** Requests by what came back. */
export const REQUESTS: Record<string, Look> = {
  "2xx": look("2xx, taken", "✓", "done"),
  "3xx": look("3xx, elsewhere", "→", "gone"),
  "4xx": look("4xx, refused", "!", "quarantined"),
  later: look("429, later", "↻", "paused"),
  "5xx": look("5xx, failed", "✕", "failed"),
  none: look("no answer", "?", "doubt"),
};

/** Calls by what they came to. */
export const CALLS: Record<string, Look> = {
  done: look("done", "✓", "done"),
  rejected: look("rejected", "!", "quarantined"),
  again: look("to be sent again", "↻", "paused"),
  unsent: look("never left", "…", "pending"),
  ambiguous: look("nobody knows", "?", "doubt"),
  absent: look("looked for, not there", "∅", "gone"),
  several: look("looked for, there twice", "?", "doubt"),
  different: look("kept otherwise than sent", "!", "quarantined"),
  denied: look("credential refused", "✕", "failed"),
  fatal: look("fatal", "✕", "failed"),
};

/** In which state a call rests after an outcome; none for what is only tried again. */
const RESTS: Record<string, Shape<"CallState">> = { done: "done", rejected: "rejected", unsent: "unsent", ambiguous: "in_doubt", absent: "absent", several: "in_doubt" };

/** Where the calls behind an outcome are listed; null where no list tells them apart. */
export function callsOf(outcome: string, run: string, system: string): string | null {
  const state = RESTS[outcome];
  return state ? `/calls?${new URLSearchParams({ state, system, run }).toString()}` : null;
}

export interface Outcome {
  name: string;
  count: number;
  share: number;
  look: Look;
}

const named = (name: string) => (name === "429" ? "later" : name);

/** Outcomes that came at all, in the order of `looks`; what is not known there stands last, by its name. */
export function outcomesOf(counts: Record<string, number>, looks: Record<string, Look>): Outcome[] {
  const known = Object.keys(looks); // no name is a number: those would come first
  const place = (name: string) => (known.includes(named(name)) ? known.indexOf(named(name)) : known.length);
  const all = Object.entries(counts).filter(([, many]) => many > 0).sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b));
  const total = all.reduce((sum, [, many]) => sum + many, 0);
  return all.map(([name, many]) => ({ name, count: many, share: many / total, look: looks[named(name)] ?? look(name, "·", "pending") }));
}

const BOUNDS = ["5 ms", "10 ms", "25 ms", "50 ms", "100 ms", "250 ms", "500 ms", "1 s", "2.5 s", "5 s", "10 s", "30 s"];

export interface Bar {
  /** `10 – 25 ms`, `over 30 s`. */
  of: string;
  /** What stands below some of the bars, so that all cards have one axis. */
  tick: string;
  count: number;
  /** Of the highest bar. */
  height: number;
  says: string;
}

/** The classes of time, each of them, so that cards stand beside each other; none where nothing was timed. */
export function barsOf(latencies: number[]): Bar[] {
  const total = latencies.reduce((sum, many) => sum + many, 0);
  if (total <= 0) return [];
  const highest = Math.max(...latencies);
  return latencies.map((many, at) => {
    const of = at === 0 ? `up to ${BOUNDS[0]}` : at < BOUNDS.length ? `${BOUNDS[at - 1]} – ${BOUNDS[at]}` : `over ${BOUNDS[BOUNDS.length - 1]}`;
    const tick = [0, 4, 7].includes(at) ? (BOUNDS[at] ?? "") : at === latencies.length - 1 ? "> 30 s" : "";
    return { of, tick, count: many, height: many / highest, says: `${of}: ${count(many)}, ${percent(many, total)}` };
  });
}
