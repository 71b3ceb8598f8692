/** The states of units and runs: order, word, colour, sign. A colour never stands alone. */
import type { Shape } from "../api/client";

export type Counters = Shape<"CountersShape">;
export const UNIT_STATES = ["done", "quarantined", "in_doubt", "gone", "rolled_back", "pending"] as const;
export type UnitState = (typeof UNIT_STATES)[number];

export interface Look {
  word: string;
  sign: string;
  colour: string;
}

const look = (word: string, sign: string, colour: string): Look => ({ word, sign, colour: `var(--s-${colour})` });

export const UNIT_LOOK: Record<UnitState, Look> = {
  done: look("done", "✓", "done"),
  quarantined: look("quarantined", "!", "quarantined"),
  in_doubt: look("in doubt", "?", "doubt"),
  gone: look("gone", "∅", "gone"),
  rolled_back: look("rolled back", "↶", "failed"),
  pending: look("pending", "…", "pending"),
};

export const RUN_LOOK: Record<Shape<"RunState">, Look> = {
  planned: look("planned", "…", "pending"),
  running: look("running", "▶", "accent"),
  paused: look("paused", "‖", "paused"),
  stopping: look("stopping", "◼", "pending"),
  stopped: look("stopped", "◼", "pending"),
  completed: look("completed", "✓", "done"),
  completed_with_exceptions: look("completed with exceptions", "!", "quarantined"),
  failed: look("failed", "✕", "failed"),
  abandoned: look("abandoned", "∅", "pending"),
};

export const SEVERITY_LOOK: Record<Shape<"Severity">, Look> = {
  warning: look("warning", "!", "quarantined"),
  critical: look("critical", "✕", "failed"),
};

/** Levels of events and log lines; what is neither has no sign. */
export const LEVEL_LOOK: Record<string, Look> = { warning: SEVERITY_LOOK.warning, error: look("error", "✕", "failed") };

export const LIVE = new Set<Shape<"RunState">>(["running", "paused", "stopping"]);

export interface Share {
  state: UnitState;
  units: number;
  share: number;
}

/** Each state with its share; the units add up to the total, and `pending` is what is missing if they did not. */
export function shares(counters: Counters): Share[] {
  const settled = UNIT_STATES.filter((state) => state !== "pending").reduce((sum, state) => sum + counters[state], 0);
  const left = Math.max(0, counters.total - settled);
  return UNIT_STATES.map((state) => {
    const units = state === "pending" ? left : counters[state];
    return { state, units, share: counters.total > 0 ? units / counters.total : 0 };
  });
}

export const settledOf = (counters: Counters): number => counters.total - counters.pending;
