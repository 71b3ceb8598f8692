/** Which alerts are looked at: open, taken care of, past. Pure. */
import type { Shape } from "../../api/client";

export type Alert = Shape<"AlertShape">;
export type Asked = Record<"which" | "severity" | "rule" | "job" | "run", string>;

export const WHICH = [
  ["", "standing"],
  ["open", "open: nobody takes care"],
  ["taken", "somebody takes care"],
  ["past", "past"],
  ["all", "all"],
] as const;

/** Whether the server need only be asked for those that stand. */
export const standing = (which: string): boolean => which === "" || which === "open" || which === "taken";

export function matches(alert: Alert, asked: Asked): boolean {
  const over = alert.ended_at !== null;
  const taken = alert.acknowledged_at !== null;
  const of: Record<string, boolean> = { open: !over && !taken, taken: !over && taken, past: over, all: true };
  return (
    (of[asked.which] ?? !over) &&
    (!asked.severity || alert.severity === asked.severity) &&
    (!asked.rule || alert.rule === asked.rule) &&
    (!asked.job || alert.job === asked.job) &&
    (!asked.run || alert.run === asked.run)
  );
}
