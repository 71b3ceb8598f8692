import type { Shape } from "../../api/client";
import type { Look } from "../../shared/states";

type State = Shape<"CallState">;
const look = (word: string, sign: string, colour: string): Look => ({ word, sign, colour: `var(--s-${colour})` });

/** What became of a call: word, sign and colour, never the colour alone. */
export const CALL_LOOK: Record<State, Look> = {
  in_doubt: look("in doubt", "?", "doubt"),
  rejected: look("rejected", "✕", "failed"),
  sent: look("sent", "▶", "accent"),
  intended: look("intended", "…", "pending"),
  unsent: look("not sent", "∅", "pending"),
  done: look("done", "✓", "done"),
  absent: look("absent", "∅", "gone"),
  undoing: look("undoing", "↶", "quarantined"),
  undone: look("undone", "↶", "gone"),
};
export const STATES = Object.entries(CALL_LOOK) as [State, Look][];

/** JSON with its lines; any other text as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
