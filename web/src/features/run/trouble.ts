/** Why a run stands still or is slow: by whom it is paused, which systems are away. Pure. */
import type { Shape } from "../../api/client";
import { count } from "../../shared/format";

type Event = Shape<"EventShape">;
type By = "person" | "window" | "room" | "credential";
export interface Pause {
  by: By;
  since: number | null;
}
export interface Away {
  system: string;
  since: number;
  error: string;
}

/** Whose turn it is, by what a run is paused by. */
export const TURN: Record<By | "failed", string> = {
  failed: "It waits for a person: put the cause right, then resume it.",
  person: "It waits for a person: resume it to go on.",
  window: "It goes on by itself when its window opens.",
  room: "It goes on by itself when there is room on the disk.",
  credential: "It waits for a person: put the credential right, then resume it.",
};
const isBy = (by: unknown): by is By => typeof by === "string" && by in TURN;

/** By what, and since when, a run is paused that is; the newest event that says so counts. */
export function pauseOf(reason: string, events: Event[]): Pause {
  const last = [...events].reverse().find((one) => one.name === "run.paused" || (one.name === "command.done" && one.data.command === "pause"));
  const told: By = reason.startsWith("outside its window") ? "window" : "person";
  if (!last) return { by: told, since: null };
  return { by: last.name === "run.paused" && isBy(last.data.by) ? last.data.by : told, since: last.at };
}

/** Systems that were found away and have not answered since, by name. */
export function awayOf(events: Event[]): Away[] {
  let found: Away[] = [];
  for (const { name, at, data } of events) {
    const system = String(data.system ?? data.target ?? "");
    if (name === "circuit.closed") found = [];
    else if ((name === "circuit.open" || name === "target.away") && !found.some((one) => one.system === system)) found.push({ system, since: at, error: String(data.error ?? "") });
  }
  return found.sort((a, b) => a.system.localeCompare(b.system));
}

export interface Left {
  text: string;
  /** What there is to do about it, and where. */
  link: string;
  to: string;
}

/** Units that no worker can help any more, and what a person does about them: those in doubt at any time, those set aside once the run is over. */
export function leftOf(run: string, state: Shape<"RunState">, { in_doubt: doubt, quarantined }: Pick<Shape<"CountersShape">, "in_doubt" | "quarantined">): Left[] {
  const units = (many: number, are: string) => `${count(many)} ${many === 1 ? `unit is ${are}` : `units are ${are}`}`;
  const asked = (more: Record<string, string>) => new URLSearchParams({ ...more, run }).toString();
  const found: Left[] = [];
  if (doubt > 0) found.push({ text: `${units(doubt, "in doubt")}: nobody knows what became of a call or a write of theirs. A person has to look there, and say so.`, link: "their calls", to: `/calls?${asked({ state: "in_doubt" })}` });
  if (quarantined > 0 && state === "completed_with_exceptions") found.push({ text: `${units(quarantined, "set aside")}, and nothing of them has moved. Put the causes right, then try them again.`, link: "open quarantine", to: `/quarantine?${asked({})}` });
  return found;
}

/** What happens to the chunks in flight, with their number: `2 chunks are in flight, to be finished first.`. */
export function flightText(chunks: number, what: string): string {
  return chunks === 0 ? "No chunk is in flight." : `${chunks === 1 ? "1 chunk is" : `${chunks} chunks are`} in flight${what}.`;
}
