/** What events, log lines and histories say, in words. Pure. */
import { count, duration } from "./format";

type Data = Record<string, unknown>;
/** What stands beside the words, or is the same in every line of a run. */
const ELSEWHERE = new Set(["run", "pid", "worker", "chunk", "job_version", "unit_key", "txn", "phase"]);
const word = (name: string) => name.replaceAll("_", " ");
const text = (value: unknown): string => {
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));
  if (Array.isArray(value)) return value.map(text).join(" ");
  return typeof value === "object" && value !== null ? pairs(value as Data) : String(value);
};
const empty = (value: unknown) => value == null || value === "" || (typeof value === "object" && Object.keys(value).length === 0);
const pairs = (data: Data, without: string[] = []) =>
  Object.entries(data).filter(([name, value]) => !without.includes(name) && !empty(value)).map(([name, value]) => `${word(name)} ${text(value)}`).join(", ");

const SAYS: Record<string, (data: Data) => string> = {
  "command.done": ({ command, by, outcome, ...rest }) => `${text(command)}${empty(rest) ? "" : ` ${pairs(rest)}`}, by ${text(by)}: ${text(outcome)}`,
  "pace.governed": ({ system, what, before, after, why }) => `${text(system)}: ${word(text(what))} ${before == null ? "free" : text(before)} → ${after == null ? "free" : text(after)}, because ${text(why)}`,
  "system.metered": ({ system, requests, paced_seconds: held }) => {
    const by = (requests ?? {}) as Record<string, number>;
    const worse = Object.entries(by).filter(([name, many]) => !name.startsWith("2") && many > 0).map(([name, many]) => `${count(many)} × ${name === "none" ? "no answer" : name}`);
    const sum = Object.values(by).reduce((all, many) => all + many, 0);
    return [`${text(system)}: ${count(sum)} requests`, ...worse, ...(Number(held) > 0 ? [`waited ${duration(Number(held))} for the pace`] : [])].join(", ");
  },
  "worker.ended": ({ run_state: state, ...rest }) => [pairs(rest), state ? `the run is ${word(text(state))}` : ""].filter(Boolean).join(", "),
  "alert.raised": ({ rule, text: told }) => `${word(text(rule))}: ${text(told)}`,
  "run.paused": ({ reason, by, ...rest }) => [empty(reason) ? "" : text(reason), pairs(rest, ["supervisor"]), empty(by) || by === "window" ? "" : `by ${text(by)}`].filter(Boolean).join(", "),
  "run.running": ({ reason, ...rest }) => [empty(reason) ? "" : text(reason), pairs(rest, ["supervisor", "after"])].filter(Boolean).join(", "),
  "chunk.finished": ({ done, rejected }) => `${text(done)} done${Number(rejected) > 0 ? `, ${text(rejected)} set aside` : ""}`,
  "unit.quarantined": ({ unit, step, reason }) => `unit ${text(unit)}${empty(step) || text(reason).startsWith(`${text(step)}:`) ? "" : `, ${text(step)}`}: ${text(reason)}`,
};

/** What happened in a few words; names that stand in every line are left out. */
export function saidOf(name: string, data: Data): string {
  const rest = Object.fromEntries(Object.entries(data).filter(([key]) => !ELSEWHERE.has(key)));
  return (SAYS[name] ?? pairs)(rest);
}

/** Who it was told by: a worker's name, else nothing. */
export const byWhom = (data: Data): string => (typeof data.worker === "string" ? data.worker : "");

/** `unit 17 …` is told of by whoever names it; what is said twice is said once. */
export const apart = (reason: string, message: string): string => {
  const bare = message.replace(/ \(unit [^)]*\)$/, "");
  return bare === reason ? "" : bare.endsWith(`: ${reason}`) ? bare.slice(0, -reason.length - 2) : message;
};
