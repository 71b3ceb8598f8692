/** Thresholds of rules as people read and write them: shares in percent, times in seconds. Pure. */
import { count, duration } from "../../shared/format";

type Kind = "share" | "seconds" | "number";
const SHARES = new Set(["quarantined", "slow", "memory", "disk", "cpu", "api_errors"]);
const WORDS: Record<string, string> = {
  stalled: "no unit for", memory: "of the memory", disk: "of the disk", cpu: "of the processors", cpu_for: "for",
  slow: "of the usual pace", slow_for: "for", quarantined: "of the settled units", quarantined_least: "units at least",
  api_errors: "of the calls", api_errors_least: "calls at least", api_errors_for: "within", lost: "lost at least", lost_for: "within", waiting: "waiting at least",
};
export const kindOf = (name: string): Kind => (SHARES.has(name) ? "share" : name === "stalled" || name.endsWith("_for") ? "seconds" : "number");
const wordOf = (name: string): string => WORDS[name] ?? name;
/** The name of a field: `% of the memory`, `For (seconds)`. */
export function labelOf(name: string): string {
  const text = { share: `% ${wordOf(name)}`, seconds: `${wordOf(name)} (seconds)`, number: wordOf(name) }[kindOf(name)];
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `92% of the memory`, `for 5 m 00 s`, `3 waiting at least`. */
export const thresholdText = (name: string, value: number): string =>
  kindOf(name) === "seconds" ? `${wordOf(name)} ${limitText(name, value)}` : `${limitText(name, value)} ${wordOf(name)}`;

/** `92%`, `10 m 00 s`, `3`. */
export function limitText(name: string, value: number): string {
  const kind = kindOf(name);
  return kind === "share" ? `${rounded(value * 100)}%` : kind === "seconds" ? duration(value) : count(value);
}

export const toField = (name: string, value: number): string => String(kindOf(name) === "share" ? rounded(value * 100) : value);

/** What is to be changed: only thresholds that differ from those in force. Null where a field holds no number. */
export function changed(fields: Record<string, string>, now: Record<string, number>): Record<string, number> | null {
  const set: Record<string, number> = {};
  for (const [name, text] of Object.entries(fields)) {
    const number = Number(text.trim());
    if (!text.trim() || !Number.isFinite(number)) return null;
    if (text.trim() !== toField(name, now[name] ?? NaN)) set[name] = kindOf(name) === "share" ? rounded(number / 100) : number;
  }
  return set;
}

const rounded = (value: number): number => Number(value.toFixed(6));
