/** What an entry of the audit changed. Pure. */
import { moment } from "../../shared/format";

type Values = Record<string, unknown>;
export interface Changed {
  name: string;
  /** Null: it was not there. */
  before: string | null;
  after: string | null;
}

const text = (name: string, value: unknown): string | null => {
  if (value === undefined) return null;
  if (name.endsWith("_at") && typeof value === "number") return moment(value);
  return typeof value === "string" ? value : JSON.stringify(value);
};

/** What differs, by name; where there was nothing before, all that came. */
export function changes(before: Values, after: Values): Changed[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((name) => ({ name, before: text(name, before[name]), after: text(name, after[name]) }))
    .filter((one) => one.before !== one.after);
}
