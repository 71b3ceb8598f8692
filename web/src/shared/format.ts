/** Numbers and times as people read them. Pure; the zone is the reader's unless given. */

const NONE = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(value: number | null | undefined): string {
  return value == null ? NONE : whole.format(value);
}

/** One digit after the point; never 100.0% before all is done, never 0.0% after the first. */
export function percent(done: number, total: number): string {
  if (total <= 0) return NONE;
  const share = (done / total) * 100;
  if (done < total && share > 99.9) return "99.9%";
  if (done > 0 && share < 0.1) return "0.1%";
  return `${share.toFixed(1)}%`;
}

/** How many at once, on average: small ones with enough digits to tell an axis' ticks apart. */
export function level(value: number | null | undefined): string {
  if (value == null) return NONE;
  if (value === 0 || value >= 100) return whole.format(value);
  return value < 0.1 ? value.toFixed(3) : value < 10 ? value.toFixed(2) : value.toFixed(1);
}

export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null) return NONE;
  return `${perSecond < 10 ? perSecond.toFixed(1) : whole.format(perSecond)}/s`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];
export function bytes(value: number | null | undefined): string {
  if (value == null) return NONE;
  let left = value;
  let unit = 0;
  while (left >= 1000 && unit < UNITS.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? whole.format(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

/** `2 h 31 m`, `4 m 05 s`, `12 s`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return NONE;
  const all = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60), all % 60];
  if (h > 0) return `${whole.format(h)} h ${String(m).padStart(2, "0")} m`;
  return m > 0 ? `${m} m ${String(s).padStart(2, "0")} s` : `${s} s`;
}

/** `12 ms`, `1.4 s`: a time of one call or one chunk. */
export function span(seconds: number | null | undefined): string {
  if (seconds == null) return "–";
  if (seconds === 0) return "0";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0)} ms`;
  return seconds < 0.9995 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
}

const made = new Map<string, Intl.DateTimeFormat>();
/** Made once for each zone: making one costs more than all else that a list of times is drawn with. */
function times(kind: keyof typeof KINDS, zone: string | undefined): Intl.DateTimeFormat {
  const name = `${kind} ${zone ?? ""}`;
  const found = made.get(name) ?? new Intl.DateTimeFormat("en-GB", { ...KINDS[kind], timeZone: zone });
  made.set(name, found);
  return found;
}

const KINDS = {
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  second: { hour: "2-digit", minute: "2-digit", hourCycle: "h23", second: "2-digit" },
  day: { day: "numeric", month: "short", year: "numeric" },
  zone: { timeZoneName: "short" },
} as const;

export function clock(at: number, zone?: string, withSeconds = true): string {
  return times(withSeconds ? "second" : "minute", zone).format(at * 1000);
}

/** Day, time and zone: `28 Nov 2026, 02:14:07 UTC`. */
export function moment(at: number | null | undefined, zone?: string): string {
  if (at == null) return NONE;
  return `${times("day", zone).format(at * 1000)}, ${clock(at, zone)} ${zoneName(at, zone)}`;
}

export function zoneName(at: number, zone?: string): string {
  const parts = times("zone", zone).formatToParts(at * 1000);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

export interface Eta {
  low: number;
  high: number;
}

/** When it will end, as a range of times of day; how long, where the range is within a minute. */
export function etaText(eta: Eta | null | undefined, now: number, zone?: string): string {
  if (!eta) return NONE;
  if (eta.high - now < 90) return `in ${duration(eta.low - now)} – ${duration(eta.high - now)}`;
  const [low, high] = [clock(eta.low, zone, false), clock(eta.high, zone, false)];
  const days = Math.floor((eta.high - now) / 86_400);
  const later = days > 0 ? ` (in ${days} d)` : "";
  return `${low === high ? low : `${low} – ${high}`} ${zoneName(eta.high, zone)}${later}`;
}

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
